// The machine: its device, memory and cache, and what the doctor found.
import { useState } from "preact/hooks";
import { send } from "../server/client";
import type { Diagnosis } from "../server/types";
import { attempt, diagnosis, status } from "../state";
import { size } from "../wording";
import { Bar, Dialog, Marked } from "./common";

const megabytes = (value: number): string => size(value * 1e6);

export function Machine({ close }: { close: () => void }) {
  const [running, setRunning] = useState(false);
  const now = status.value;
  const found = diagnosis.value;
  async function examine(): Promise<void> {
    setRunning(true);
    const result = await attempt(() => send<Diagnosis>("POST", "/v1/doctor"));
    if (result) diagnosis.value = result;
    setRunning(false);
  }
  const facts: [string, string | null | undefined][] = now
    ? [
        ["Device", [now.device.toUpperCase(), now.precision].filter(Boolean).join(", ")],
        ["Threads", now.threads?.toString()],
        ["Memory", now.memory?.rss_mb != null ? `${megabytes(now.memory.rss_mb)} in use` : null],
        ["Free on the card", now.memory?.device_free_mb != null ? megabytes(now.memory.device_free_mb) : null],
        ["Loaded models", now.cached_models?.map((model) => (typeof model === "string" ? model : (model.model ?? model.name))).join(", ") || "none"],
        ["Songs and stems", now.disk ? `${size(now.disk.used_bytes)}${now.disk.limit_bytes ? ` of ${size(now.disk.limit_bytes)}` : ""}` : null],
        ["Models folder", now.models_dir],
        ["Version", now.version],
      ]
    : [];
  const findings = [...(found?.findings ?? []), ...(found?.devices ?? []).flatMap((device) => (device.findings ?? []).map((finding) => ({ ...finding, check: `${device.device}: ${finding.check}` })))];
  findings.sort((a, b) => Number(a.state === "good") - Number(b.state === "good"));
  return (
    <Dialog title="This machine" close={close}>
      <dl class="facts">
        {facts.map(
          ([name, value]) =>
            value && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
      <section>
        <div class="row spread">
          <h3>{found ? (found.healthy ? "The doctor found it healthy" : "The doctor found something") : "Not examined yet"}</h3>
          <button type="button" onClick={() => void examine()} disabled={running}>
            {running ? "Examining…" : found ? "Examine again" : "Examine"}
          </button>
        </div>
        {running && <Bar share={null} label="Examining this machine" />}
        <ul class="findings">
          {findings.map((finding) => (
            <li key={finding.check}>
              <span class={`dot ${finding.state}`} role="img" aria-label={finding.state} />
              <div>
                <strong>{finding.check}</strong> <Marked text={finding.message} />
                {finding.hint && (
                  <p class="hint">
                    <Marked text={finding.hint} />
                  </p>
                )}
              </div>
            </li>
          ))}
        </ul>
      </section>
      <p class="hint">
        This page contains <a href="/assets/licenses.txt">software of others</a>.
      </p>
    </Dialog>
  );
}
