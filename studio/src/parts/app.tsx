// The page as a whole: what to do on the left, what became of it on the right.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { droppedFiles } from "../files";
import { addSongs, attempt, chosenJob, dismiss, isDownload, jobs, listed, loaded, notices, songs } from "../state";
import { IconButton, Wrong } from "./common";
import { Header } from "./header";
import { Icon } from "./icons";
import { Listening } from "./listening";
import { NewWork } from "./new-work";
import { Queue } from "./queue";

const dragging = signal(false);

export function App() {
  useEffect(() => dropAnywhere(), []);
  const id = chosenJob.value ?? listed.value.find((job) => !isDownload(job))?.id ?? null;
  const job = id === null ? undefined : jobs.value.get(id);
  return (
    <>
      <Header />
      <main class="layout">
        <div class="side">
          <NewWork />
          <Queue shown={job?.id ?? null} />
        </div>
        <section class="stage" id="stage" aria-label="Listening">
          {job ? <Listening key={job.id} job={job} /> : <Welcome />}
        </section>
      </main>
      <Notices />
      {dragging.value && (
        <div class="drop-veil" aria-hidden="true">
          <div>
            <Icon name="add" />
            <p>Let go to add these songs</p>
          </div>
        </div>
      )}
    </>
  );
}

function dropAnywhere(): () => void {
  let inside = 0; // elements that the pointer is in: leaving one for its child is not leaving the page
  const files = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  const listeners: Record<string, (event: DragEvent) => void> = {
    dragenter: (event) => files(event) && (inside++, (dragging.value = true)),
    dragleave: (event) => files(event) && (inside = Math.max(0, inside - 1)) === 0 && (dragging.value = false),
    dragover: (event) => files(event) && event.preventDefault(),
    drop: (event) => {
      if (!files(event)) return;
      event.preventDefault();
      inside = 0;
      dragging.value = false;
      void attempt(async () => addSongs(await droppedFiles(event.dataTransfer!)));
    },
  };
  for (const [kind, listener] of Object.entries(listeners)) window.addEventListener(kind, listener as EventListener);
  return () => {
    for (const [kind, listener] of Object.entries(listeners)) window.removeEventListener(kind, listener as EventListener);
  };
}

const BARS = [18, 34, 26, 52, 40, 64, 30, 46, 58, 36, 50, 24, 42, 30, 16];

function Welcome() {
  if (!loaded.value) return <div class="welcome" aria-busy="true" />;
  return (
    <div class="welcome">
      <svg viewBox="0 0 300 80" class="welcome-wave" aria-hidden="true">
        {BARS.map((height, index) => (
          <rect key={index} class={`stem-${index % 5}`} x={index * 20 + 6} y={40 - height / 2} width="8" height={height} rx="4" />
        ))}
      </svg>
      <h2>{songs.value.length ? "Choose what to do, and start" : "Take a song apart"}</h2>
      <p>Drop songs or folders anywhere on this page. Everything is done on the machine that this server runs on; nothing leaves it.</p>
      <p class="muted">What is finished can be heard at once, while the rest is still being worked on.</p>
    </div>
  );
}

const Notices = () => (
  <div class="notices" role="status" aria-live="polite">
    {notices.value.map((notice) => (
      <div key={notice.id} class={`notice ${notice.trouble ? "bad" : ""}`}>
        {notice.trouble ? <Wrong trouble={notice.trouble} /> : <p>{notice.text}</p>}
        <IconButton icon="close" label="Dismiss" onClick={() => dismiss(notice.id)} />
      </div>
    ))}
  </div>
);
