// A track: its drawing and its faders.
import { signal, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { Player, Track } from "../audio/player";
import { colourOf } from "../drawing/colours";
import { Sound, type View } from "../drawing/sound";
import type { Job, Stretch } from "../server/types";
import { dark } from "../theme";
import { titled } from "../wording";
import { exportAddress } from "./export";
import { Icon } from "./icons";

interface Props {
  job: Job;
  player: Player;
  track: Track;
  index: number;
  ready: Stretch[];
  view: { value: View; peek(): View };
  zoom: (factor: number, around?: number) => void;
  scroll: (seconds: number) => void;
  onSeek: () => void;
}

const CLICK_PX = 4;
export const drawn = signal<"waveform" | "spectrogram">("waveform");

export function TrackRow(props: Props) {
  const { track, player, job, index } = props;
  const isMix = track.name === "mix";
  const name = isMix ? "Song" : titled(track.name);
  const anySolo = player.tracks.some((one) => one.solo.value);
  const silent = isMix ? !player.comparing.value : player.comparing.value || (anySolo ? !track.solo.value : track.mute.value);
  return (
    <div class={`track stem-${isMix ? "mix" : colourOf(track.name, index)} ${silent ? "silent" : ""}`} role="listitem">
      <div class="faders" role="group" aria-label={name}>
        <div class="track-name">
          <i class="swatch" aria-hidden="true" />
          <strong>{name}</strong>
          {!isMix && job.state === "done" && <DragOut job={job} stem={track.name} />}
        </div>
        {!isMix && (
          <div class="fader-row">
            <button type="button" class="letter" aria-pressed={track.solo.value} aria-label={`Solo ${name}`} title="Solo" onClick={() => (track.solo.value = !track.solo.value)}>
              S
            </button>
            <button type="button" class="letter" aria-pressed={track.mute.value} aria-label={`Mute ${name}`} title="Mute" onClick={() => (track.mute.value = !track.mute.value)}>
              M
            </button>
            <Fader label={`Volume of ${name}`} value={track.volume} from={0} to={1.5} usual={1} text={`${Math.round(track.volume.value * 100)} %`} />
            <Fader label={`Pan of ${name}`} value={track.pan} from={-1} to={1} usual={0} text={panText(track.pan.value)} narrow />
          </div>
        )}
      </div>
      <Lane {...props} />
    </div>
  );
}

const panText = (pan: number): string => (Math.abs(pan) < 0.01 ? "centre" : `${Math.round(Math.abs(pan) * 100)} % ${pan < 0 ? "left" : "right"}`);

interface FaderProps {
  label: string;
  value: { value: number };
  from: number;
  to: number;
  usual: number;
  text: string;
  narrow?: boolean;
}

/** A double click sets it back. */
const Fader = ({ label, value, from, to, usual, text, narrow }: FaderProps) => (
  <input
    type="range"
    class={narrow ? "pan" : "volume"}
    aria-label={label}
    aria-valuetext={text}
    title={`${label}: ${text}`}
    min={from}
    max={to}
    step={0.01}
    value={value.value}
    onInput={(event) => {
      const set = Number(event.currentTarget.value);
      value.value = Math.abs(set - usual) < 0.03 ? usual : set;
    }}
    onDblClick={() => (value.value = usual)}
  />
);

/** Drags a stem out of the page as a file, where the browser can; a click saves it anywhere. */
function DragOut({ job, stem }: { job: Job; stem: string }) {
  const name = `${job.title} - ${stem}.flac`;
  const address = exportAddress(job, { stems: [stem], format: "flac", sample: "PCM_24" });
  return (
    <a
      class="drag-out"
      href={address}
      download={name}
      draggable
      title={`Drag ${stem} to a folder or another program, or click to save it`}
      aria-label={`Save ${titled(stem)}`}
      onDragStart={(event) => event.dataTransfer?.setData("DownloadURL", `audio/flac:${name.replaceAll(":", " ")}:${new URL(address, location.href).href}`)}
    >
      <Icon name="save" />
    </a>
  );
}

function Lane({ job, player, track, ready, view, zoom, scroll, onSeek }: Props) {
  const lane = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const playhead = useRef<HTMLDivElement>(null);
  const loop = useRef<HTMLDivElement>(null);
  const latest = useRef({ ready, view });
  latest.current = { ready, view };
  const redraw = useRef(() => {});
  const sound = useMemo(() => new Sound(job.id, track.name, player.rate, player.frames, () => redraw.current()), [player, track.name]);

  useEffect(() => {
    let frame = 0;
    redraw.current = () => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        if (!canvas.current) return;
        const style = getComputedStyle(canvas.current);
        sound.draw(canvas.current, latest.current.view.peek(), latest.current.ready, drawn.peek(), { colour: style.color, quiet: style.getPropertyValue("--quiet"), dark: dark.peek() });
      });
    };
    const watcher = new ResizeObserver(() => redraw.current());
    watcher.observe(lane.current!);
    redraw.current();
    return () => {
      watcher.disconnect();
      cancelAnimationFrame(frame);
      sound.leave();
    };
  }, [sound]);
  useEffect(() => redraw.current(), [ready]);
  useSignalEffect(() => {
    void [view.value, drawn.value, dark.value, player.comparing.value];
    for (const one of player.tracks) void [one.solo.value, one.mute.value]; // they change the colour
    redraw.current();
  });
  useSignalEffect(() => {
    const { start, stop } = view.value;
    const place = (player.position.value / player.rate - start) / (stop - start);
    const shown = place >= 0 && place <= 1;
    playhead.current!.hidden = !shown;
    if (shown) playhead.current!.style.left = `${place * 100}%`;
  });
  useSignalEffect(() => {
    const { start, stop } = view.value;
    const [from, to] = (player.loop.value ?? [0, 0]).map((frame) => Math.max(0, Math.min(1, (frame / player.rate - start) / (stop - start))));
    loop.current!.hidden = !player.loop.value || from === to;
    loop.current!.style.left = `${from! * 100}%`;
    loop.current!.style.width = `${(to! - from!) * 100}%`;
  });
  // Preact's listeners of the wheel are passive, and this one must keep the page from zooming.
  useEffect(() => {
    const element = lane.current!;
    const turned = (event: WheelEvent) => {
      const { start, stop } = view.peek();
      const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
      if (event.ctrlKey || event.metaKey) zoom(2 ** (event.deltaY / 150), start + (event.offsetX / element.clientWidth) * (stop - start));
      else if (sideways && Math.abs(sideways) >= Math.abs(event.shiftKey ? 0 : event.deltaY)) scroll((sideways / element.clientWidth) * (stop - start));
      else return;
      event.preventDefault();
    };
    element.addEventListener("wheel", turned, { passive: false });
    return () => element.removeEventListener("wheel", turned);
  }, [player]);

  const timeAt = (event: PointerEvent): number => {
    const box = lane.current!.getBoundingClientRect();
    const { start, stop } = view.peek();
    return start + Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * (stop - start);
  };
  const pressed = (down: PointerEvent) => {
    if (down.button !== 0) return;
    const element = lane.current!;
    const from = timeAt(down);
    let dragged = false;
    const moved = (event: PointerEvent) => {
      if (Math.abs(event.clientX - down.clientX) < CLICK_PX && !dragged) return;
      if (down.pointerType === "touch") return; // a finger scrolls
      dragged = true;
      const to = timeAt(event);
      player.setLoop([Math.round(Math.min(from, to) * player.rate), Math.round(Math.max(from, to) * player.rate)]);
    };
    const ended = (event: PointerEvent) => {
      element.removeEventListener("pointermove", moved);
      if (event.type === "pointercancel") return;
      onSeek();
      if (dragged) player.seek(player.loop.peek()![0] / player.rate);
      else player.seek(from);
    };
    if (down.pointerType !== "touch") element.setPointerCapture(down.pointerId);
    element.addEventListener("pointermove", moved);
    element.addEventListener("pointerup", ended, { once: true });
    element.addEventListener("pointercancel", ended, { once: true });
  };

  return (
    <div ref={lane} class="lane" onPointerDown={pressed}>
      <canvas ref={canvas} aria-hidden="true" />
      <div ref={loop} class="loop" hidden />
      <div ref={playhead} class="playhead" hidden />
    </div>
  );
}
