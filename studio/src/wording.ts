// Numbers as people read them.

export function size(bytes: number | null | undefined): string {
  if (bytes == null) return "size unknown";
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  return bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** A place in a song: 3:07, 1:02:09, with tenths where asked. */
export function clock(seconds: number, tenths = false): string {
  const unit = tenths ? 10 : 1;
  const whole = Math.max(0, Math.floor(seconds * unit + 1e-6));
  const [h, m, s] = [Math.floor(whole / unit / 3600), Math.floor(whole / unit / 60) % 60, Math.floor(whole / unit) % 60];
  const start = h ? `${h}:${String(m).padStart(2, "0")}` : `${m}`;
  return `${start}:${String(s).padStart(2, "0")}${tenths ? `.${whole % 10}` : ""}`;
}

/** The other way round; null where it is not a time. */
export function secondsOf(text: string): number | null {
  const parts = text.trim().split(":");
  if (parts.length > 3 || parts.some((part) => !/^\d+(\.\d*)?$/.test(part))) return null;
  return parts.reduce((sum, part) => sum * 60 + Number(part), 0);
}

/** How long something takes, roughly. */
export function span(seconds: number): string {
  if (seconds < 1) return "a moment";
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

export const count = (number: number, one: string, many = `${one}s`): string => `${number} ${number === 1 ? one : many}`;

/** A field's or a stem's name as words: `no_vocals` is "no vocals". */
export const words = (name: string): string => name.replaceAll("_", " ").trim();
export const titled = (name: string): string => words(name).replace(/^./, (letter) => letter.toUpperCase());
