// Asks the server, and turns what goes wrong into one kind of error that says what to do.
import type { Stretch, Trouble, Upload } from "./types";

export class Problem extends Error {
  override readonly name = "Problem";
  constructor(
    readonly trouble: Trouble,
    readonly status = 0,
    readonly ready: Stretch[] | null = null,
  ) {
    super(trouble.message);
  }
}

const UNREACHABLE: Trouble = {
  code: "unreachable",
  message: "The server does not answer.",
  hint: "Is `dsu studio` still running? The page goes on by itself as soon as it answers.",
};

/** What is wrong, however it came about. */
export function troubleOf(reason: unknown): Trouble {
  if (reason instanceof Problem) return reason.trouble;
  return { code: "internal", message: reason instanceof Error ? reason.message : String(reason) };
}

function refusal(status: number, text: string): Problem {
  try {
    const body = JSON.parse(text) as { error?: Trouble; ready?: Stretch[] };
    if (body.error?.message) return new Problem(body.error, status, body.ready ?? null);
  } catch {
    // It was not the server of the studio that answered, for example a proxy.
  }
  const hint = status === 401 || status === 403 ? "Open the address again that `dsu studio` printed." : null;
  return new Problem({ code: `http_${status}`, message: `The server refused this with status ${status}.`, hint }, status);
}

async function answer(path: string, init?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...init });
  } catch (reason) {
    if (reason instanceof DOMException && reason.name === "AbortError") throw reason;
    throw new Problem(UNREACHABLE);
  }
  if (!response.ok) throw refusal(response.status, await response.text());
  return response;
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await answer(path, { signal })).json() as Promise<T>;
}

export async function getBytes(path: string, signal?: AbortSignal): Promise<ArrayBuffer> {
  return (await answer(path, { signal })).arrayBuffer();
}

export async function send<T>(method: "POST" | "DELETE", path: string, body?: unknown, key?: string): Promise<T | null> {
  const headers: Record<string, string> = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  const response = await answer(path, { method, headers, body: body === undefined ? null : JSON.stringify(body) });
  const text = await response.text();
  return text ? (JSON.parse(text) as T) : null;
}

/** Sends a song. Only XMLHttpRequest tells how much has gone. */
export function upload(file: File, progress: (share: number) => void, signal: AbortSignal): Promise<Upload> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/v1/uploads?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText) as Upload);
      else reject(refusal(request.status, request.responseText));
    };
    request.onerror = () => reject(new Problem(UNREACHABLE));
    request.onabort = () => reject(new DOMException("Taken back.", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

/** A key that lets the server recognise the same wish, sent twice. Plain HTTP has no `randomUUID`. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const jobPath = (id: string, ...rest: string[]): string => ["/v1/jobs", id, ...rest].map((word, index) => (index ? encodeURIComponent(word) : word)).join("/");
