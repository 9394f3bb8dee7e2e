// One job: its tracks as they arrive, heard in step.
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Player } from "../audio/player";
import type { View } from "../drawing/sound";
import { jobPath, send } from "../server/client";
import type { Job, Stretch } from "../server/types";
import { attempt, cancel, framesOf, hasEnded, readyOf, retry, status } from "../state";
import { clock, secondsOf } from "../wording";
import { Bar, IconButton, Marked, Wrong } from "./common";
import { ExportWindow } from "./export";
import { Icon } from "./icons";
import { madeBy, standing } from "./queue";
import { drawn, TrackRow } from "./track";

const SHORTEST_VIEW_S = 0.5;

export function Listening({ job }: { job: Job }) {
  const exporting = useSignal(false);
  const folder = () => void attempt(() => send("POST", jobPath(job.id, "open-folder")));
  return (
    <article class="listening" aria-labelledby="job-title">
      <header class="job-head">
        <div>
          <h2 id="job-title">{job.title}</h2>
          <p class="muted">{[madeBy(job), standing(job)].filter(Boolean).join(" · ")}</p>
        </div>
        <div class="row">
          {!hasEnded(job) && (
            <button type="button" onClick={() => void cancel(job)}>
              Cancel
            </button>
          )}
          {(job.state === "failed" || job.state === "cancelled") && (
            <button type="button" onClick={() => void retry(job)}>
              <Icon name="again" /> Try again
            </button>
          )}
          {status.value?.loopback && job.state === "done" && (
            <button type="button" class="plain" onClick={folder}>
              <Icon name="folder" /> <span class="wide-only">Open folder</span>
              <span class="narrow-only sr">Open folder</span>
            </button>
          )}
          {job.stems.length > 0 && (
            <button type="button" class="primary" disabled={job.state !== "done"} title={job.state === "done" ? undefined : "When all of it is done"} onClick={() => (exporting.value = true)}>
              <Icon name="save" /> Export
            </button>
          )}
        </div>
      </header>
      {job.state === "running" && <Bar share={job.percent / 100} label={`Progress of ${job.title}`} />}
      {job.error && <Wrong trouble={job.error} />}
      {job.warnings.map((warning) => (
        <p key={warning} class="warning">
          <Marked text={warning} />
        </p>
      ))}
      {framesOf(job) > 0 ? <Tracks job={job} exporting={exporting} /> : <Nothing job={job} />}
    </article>
  );
}

const Nothing = ({ job }: { job: Job }) => (
  <div class="nothing">
    {job.state === "queued" && <p>It is in the queue. What it finds can be heard here as soon as the first seconds are done.</p>}
    {job.state === "running" && <p>It begins{job.stage ? ` (${job.stage.replaceAll("_", " ")})` : ""}…</p>}
    {hasEnded(job) && <p>There is nothing to hear of it.</p>}
  </div>
);

function Tracks({ job, exporting }: { job: Job; exporting: { value: boolean } }) {
  const frames = framesOf(job);
  const names = job.stems.map((stem) => stem.name).join("/");
  const player = useMemo(() => new Player(job.id, job.stems, frames), [job.id, names, frames]);
  const view = useSignal<View>({ start: 0, stop: player.seconds });
  const following = useRef(true);
  const known = JSON.stringify(readyOf(job)); // most news of a job are not about this, and drawing is work
  const ready = useMemo(() => readyOf(job), [known]);
  const whole = useMemo((): Stretch[] => [[0, frames]], [frames]);
  useEffect(() => () => player.leave(), [player]);
  useEffect(() => player.update(job, ready), [player, job.state, job.movable, ready]);
  useEffect(() => void (view.value = { start: 0, stop: player.seconds }), [player]);

  const show = (start: number, length: number) => {
    const most = player.seconds;
    const wide = Math.min(most, Math.max(SHORTEST_VIEW_S, length));
    const from = Math.max(0, Math.min(start, most - wide));
    view.value = { start: from, stop: from + wide };
  };
  const zoom = (factor: number, around?: number) => {
    const { start, stop } = view.peek();
    const now = player.position.peek() / player.rate;
    const at = around ?? (now >= start && now <= stop ? now : (start + stop) / 2);
    const length = Math.max(SHORTEST_VIEW_S, (stop - start) * factor);
    following.current = true;
    show(at - ((at - start) / (stop - start)) * length, length);
  };
  // Turns the page when the playhead leaves it.
  useSignalEffect(() => {
    const now = player.position.value / player.rate;
    const { start, stop } = view.peek();
    if (player.playing.value && following.current && (now > stop || now < start)) show(now - (stop - start) * 0.05, stop - start);
  });
  const scroll = (seconds: number) => {
    following.current = false;
    show(view.peek().start + seconds, view.peek().stop - view.peek().start);
  };
  useShortcuts(player, zoom);

  return (
    <>
      <Transport player={player} view={view} zoom={zoom} fit={() => show(0, player.seconds)} />
      {player.trouble.value && <Wrong trouble={player.trouble.value} />}
      <Timeline player={player} view={view} />
      <div class="tracks" role="list" aria-label="Tracks" style={{ "--count": player.tracks.length }}>
        {player.tracks.map((track, index) => (
          <TrackRow key={track.name} job={job} player={player} track={track} index={index} ready={track.name === "mix" && job.state !== "running" ? whole : ready} view={view} zoom={zoom} scroll={scroll} onSeek={() => (following.current = true)} />
        ))}
      </div>
      <Scroller view={view} seconds={player.seconds} show={show} left={() => (following.current = false)} />
      <p class="keys muted">
        <kbd>Space</kbd> play <kbd>←</kbd>
        <kbd>→</kbd> 5 s <kbd>1</kbd>–<kbd>9</kbd> solo <kbd>B</kbd> the song <kbd>L</kbd> loop <kbd>+</kbd>
        <kbd>−</kbd> zoom. Drag over a track to loop that part.
      </p>
      {exporting.value && <ExportWindow job={job} player={player} close={() => (exporting.value = false)} />}
    </>
  );
}

function toggleLoop(player: Player, view: View): void {
  if (player.loop.value) return player.setLoop(null);
  const whole = view.stop - view.start >= player.seconds - 0.01;
  const now = player.position.value / player.rate;
  const [start, stop] = whole ? [now, Math.min(now + 10, player.seconds)] : [view.start, view.stop];
  player.setLoop([Math.round(Math.min(start, player.seconds - 1) * player.rate), Math.round(stop * player.rate)]);
}

function Transport({ player, view, zoom, fit }: { player: Player; view: { value: View }; zoom: (factor: number) => void; fit: () => void }) {
  const now = useComputed(() => clock(player.position.value / player.rate, true));
  const playing = player.playing.value;
  return (
    <div class="transport" role="toolbar" aria-label="Playing">
      <button type="button" class="play" aria-label={playing ? "Pause" : "Play"} onClick={() => void player.toggle().catch(() => {})}>
        <Icon name={playing ? "pause" : "play"} />
      </button>
      <span class="time">
        <span>{now}</span> <span class="muted">/ {clock(player.seconds)}</span>
        {player.waiting.value && <span class="muted" role="status"> waiting…</span>}
      </span>
      <button type="button" class="toggle" aria-pressed={player.comparing.value} onClick={() => (player.comparing.value = !player.comparing.value)} title="Hear the song instead of its stems (B)">
        <Icon name="compare" />
        <span class="word">Song</span>
      </button>
      <button type="button" class="toggle" aria-pressed={player.loop.value !== null} onClick={() => toggleLoop(player, view.value)} title="Repeat a part (L)">
        <Icon name="loop" />
        <span class="word">Loop</span>
      </button>
      {player.loop.value && <LoopTimes player={player} />}
      <span class="push" />
      <span class="segments" role="group" aria-label="Drawing">
        {(["waveform", "spectrogram"] as const).map((kind) => (
          <button key={kind} type="button" aria-pressed={drawn.value === kind} onClick={() => (drawn.value = kind)}>
            {kind === "waveform" ? "Waveform" : "Spectrogram"}
          </button>
        ))}
      </span>
      <span class="segments" role="group" aria-label="Zoom">
        <IconButton icon="minus" label="Zoom out" onClick={() => zoom(2)} />
        <IconButton icon="fit" label="Show all" onClick={fit} />
        <IconButton icon="plus" label="Zoom in" onClick={() => zoom(0.5)} />
      </span>
    </div>
  );
}

function LoopTimes({ player }: { player: Player }) {
  const loop = player.loop.value!;
  const set = (index: 0 | 1, text: string) => {
    const seconds = secondsOf(text);
    if (seconds === null) return;
    const next: [number, number] = [...loop];
    next[index] = Math.round(Math.min(seconds, player.seconds) * player.rate);
    if (next[1] - next[0] > player.rate / 10) player.setLoop(next);
  };
  return (
    <span class="loop-times">
      {([0, 1] as const).map((index) => (
        <input key={`${index}/${loop[index]}`} type="text" aria-label={index ? "End of the loop" : "Start of the loop"} defaultValue={clock(loop[index] / player.rate, true)} onChange={(event) => set(index, event.currentTarget.value)} />
      ))}
    </span>
  );
}

const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600];
const TICK_PX = 90;

/** The ruler, which is also the slider of the position. */
function Timeline({ player, view }: { player: Player; view: { value: View } }) {
  const ruler = useRef<HTMLDivElement>(null);
  const width = useSignal(800);
  useEffect(() => {
    const watcher = new ResizeObserver(([entry]) => (width.value = entry!.contentRect.width || 800));
    watcher.observe(ruler.current!);
    return () => watcher.disconnect();
  }, []);
  const { start, stop } = view.value;
  const step = STEPS_S.find((one) => (one / (stop - start)) * width.value >= TICK_PX) ?? 1200;
  const ticks: number[] = [];
  for (let at = Math.ceil(start / step) * step; at < stop; at += step) ticks.push(at);
  const now = Math.floor(player.position.value / player.rate);
  const seek = (event: PointerEvent) => {
    if (!(event.buttons & 1)) return;
    const box = ruler.current!.getBoundingClientRect();
    player.seek(start + ((event.clientX - box.left) / box.width) * (stop - start));
  };
  return (
    <div class="timeline">
      <div
        ref={ruler}
        class="ruler"
        role="slider"
        tabIndex={0}
        aria-label="Position"
        aria-valuemin={0}
        aria-valuemax={Math.floor(player.seconds)}
        aria-valuenow={now}
        aria-valuetext={`${clock(now)} of ${clock(player.seconds)}`}
        onPointerDown={(event) => {
          ruler.current!.setPointerCapture(event.pointerId);
          seek(event);
        }}
        onPointerMove={seek}
      >
        {ticks.map((at) => (
          <span key={at} style={{ left: `${((at - start) / (stop - start)) * 100}%` }}>
            {clock(at, step < 1)}
          </span>
        ))}
      </div>
    </div>
  );
}

function Scroller({ view, seconds, show, left }: { view: { value: View }; seconds: number; show: (start: number, length: number) => void; left: () => void }) {
  const { start, stop } = view.value;
  const length = stop - start;
  if (length >= seconds - 0.01) return null;
  return (
    <div class="scroller">
      <input
        type="range"
        aria-label="Visible part"
        aria-valuetext={`${clock(start)} to ${clock(stop)}`}
        min={0}
        max={seconds - length}
        step="any"
        value={start}
        onInput={(event) => {
          left();
          show(Number(event.currentTarget.value), length);
        }}
      />
    </div>
  );
}

/** Keys work anywhere but where they have a meaning of their own. */
function useShortcuts(player: Player, zoom: (factor: number) => void): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      if (target.closest("textarea, select, input:not([type=checkbox])")) return;
      if (event.key === " " && target.closest("button, summary, label, input, a")) return;
      const now = player.position.value / player.rate;
      const stems = player.tracks.slice(1);
      const actions: Record<string, () => void> = {
        " ": () => void player.toggle().catch(() => {}),
        ArrowLeft: () => player.seek(now - (event.shiftKey ? 1 : 5)),
        ArrowRight: () => player.seek(now + (event.shiftKey ? 1 : 5)),
        PageDown: () => player.seek(now + 30),
        PageUp: () => player.seek(now - 30),
        Home: () => player.seek(0),
        End: () => player.seek(player.seconds),
        b: () => (player.comparing.value = !player.comparing.value),
        l: () => player.setLoop(player.loop.value ? null : [Math.round(now * player.rate), Math.round(Math.min(now + 10, player.seconds) * player.rate)]),
        "+": () => zoom(0.5),
        "=": () => zoom(0.5),
        "-": () => zoom(2),
      };
      const stem = stems[Number(event.key) - 1];
      const action = stem ? () => (stem.solo.value = !stem.solo.value) : actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!action || (event.key.startsWith("Page") && target.getAttribute("role") !== "slider")) return;
      event.preventDefault();
      action();
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [player]);
}
