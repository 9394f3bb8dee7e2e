// The types of `dsu-client/runtime`.
import type { AbortSignalLike } from './index';

/** How far an installation is. */
export interface RuntimeProgress {
  stage: 'download' | 'unpack';
  /** Of the stage; null while the server does not say how large the archive is. */
  percent: number | null;
  /** Bytes of the archive that have arrived, or have been unpacked. */
  doneBytes: number;
  totalBytes: number | null;
}

interface CommonOptions {
  /** The folder for runtimes, as an absolute path: one of its own, such as `dsu` in the data of your application. */
  folder: string;
  /** Where the archive of a release is: `.tar.gz` or `.zip`. */
  url: string | URLLike;
  /** The size of the archive. */
  sizeBytes?: number;
  /** The archive must not be larger. Default 4 GiB. */
  maxArchiveBytes?: number;
  /** Nor what is in it. Default 16 GiB. */
  maxUnpackedBytes?: number;
  /** A connection on which nothing comes for so long is given up, and another one tried. Default 60 000. */
  silenceTimeoutMs?: number;
  /** How long to wait after a connection has broken; twice as long after each further one. Default 500. */
  retryWaitMs?: number;
  /** Remove other runtimes from the folder once this one is there. Default false. */
  removeOthers?: boolean;
  /** What is used instead of the global `fetch`, such as Electron's `net.fetch`, which takes the proxy of the system. */
  fetch?: (url: string, options: { headers: Record<string, string>; signal: any }) => Promise<ResponseLike>;
  /** Gives up. What has been downloaded stays, and the next call goes on with it. */
  signal?: AbortSignalLike;
  /** Called now and then. */
  onProgress?(progress: RuntimeProgress): void;
}

/** A URL. */
export interface URLLike {
  readonly href: string;
}

/** The part of a Response that is used. */
export interface ResponseLike {
  readonly ok: boolean;
  readonly status: number;
  readonly statusText: string;
  readonly headers: { get(name: string): string | null };
  readonly body: { getReader(): { read(): Promise<{ done: boolean; value?: Uint8Array }> } } | null;
}

/** One of `sha256` and `checksums` is needed. */
export type RuntimeOptions = CommonOptions &
  (
    | {
        /** The SHA-256 of the archive, as 64 hexadecimal digits. */
        sha256: string;
        checksums?: string | URLLike;
      }
    | {
        sha256?: undefined;
        /** The `SHA256SUMS` of the release: a file that comes with your application, or a URL. */
        checksums: string | URLLike;
      }
  );

/** A runtime that is there. It can be given to workers and pools as their options. */
export interface Runtime {
  /** The folder of the programs. */
  dir: string;
  /** The hash of the archive that they come from. */
  sha256: string;
}

/**
 * The runtime in `folder`; it is downloaded, checked and unpacked first unless it is there. It appears as a whole or not at
 * all; several processes may call this at once.
 *
 * @example
 * const runtime = await ensureRuntime({ folder, url: `${release}/${archiveName()}`, checksums: 'SHA256SUMS' });
 * const worker = new DSUWorker('demucs', runtime);
 */
export function ensureRuntime(options: RuntimeOptions): Promise<Runtime>;

/** The runtime in `folder`, or null if it is not there. Downloads nothing and writes nothing. */
export function locateRuntime(options: RuntimeOptions): Promise<Runtime | null>;

/**
 * The name of a release's archive for a system, by default this one. Throws `runtime_unavailable` where there is none.
 *
 * @param platform as in `process.platform`
 * @param arch as in `process.arch`
 */
export function archiveName(platform?: string, arch?: string): string;
