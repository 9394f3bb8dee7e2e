// Listens to what happens at the server, and comes back when the line was cut.

export type Listeners = Record<string, (data: never) => void>;

const SOONEST_MS = 1000;
const LATEST_MS = 15000;

/** `connected` is told true each time the line stands, and false when it is cut. */
export function listen(path: string, listeners: Listeners, connected: (yes: boolean) => void): () => void {
  let source: EventSource | null = null;
  let timer = 0;
  let wait = SOONEST_MS;

  function open(): void {
    source = new EventSource(path);
    source.onopen = () => {
      wait = SOONEST_MS;
      connected(true);
    };
    source.onerror = () => {
      connected(false);
      // Browsers come back by themselves, but not when the answer was an error: then it is up to us.
      if (source?.readyState !== EventSource.CLOSED) return;
      timer = window.setTimeout(open, wait);
      wait = Math.min(wait * 2, LATEST_MS);
    };
    for (const [kind, told] of Object.entries(listeners)) {
      source.addEventListener(kind, (event) => (told as (data: unknown) => void)(JSON.parse((event as MessageEvent<string>).data)));
    }
  }

  open();
  return () => {
    window.clearTimeout(timer);
    source?.close();
  };
}
