// Small parts that many others use.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import type { Trouble } from "../server/types";
import { Icon, type IconName } from "./icons";

interface ButtonProps {
  icon: IconName;
  label: string;
  onClick: (event: MouseEvent) => void;
  disabled?: boolean;
  pressed?: boolean;
  class?: string;
}

/** A button with a picture; its label is for screen readers and the pointer that rests on it. */
export const IconButton = ({ icon, label, onClick, disabled, pressed, class: extra = "" }: ButtonProps) => (
  <button type="button" class={`icon-button ${extra}`} aria-label={label} title={label} aria-pressed={pressed} disabled={disabled} onClick={onClick}>
    <Icon name={icon} />
  </button>
);

/** What went wrong, where, and what to do. */
export const Wrong = ({ trouble }: { trouble: Trouble }) => (
  <div class="wrong">
    <Icon name="alert" />
    <div>
      <p>
        <Marked text={trouble.message} />
        {trouble.field && <span class="where"> ({trouble.field})</span>}
      </p>
      {trouble.hint && (
        <p class="hint">
          <Marked text={trouble.hint} />
        </p>
      )}
    </div>
  </div>
);

/** Text in which `words` between backticks are code. */
export const Marked = ({ text }: { text: string }) => <>{text.split("`").map((part, index) => (index % 2 ? <code key={index}>{part}</code> : part))}</>;

export const Bar = ({ share, label }: { share: number | null; label: string }) => <progress class="bar" aria-label={label} max={1} value={share ?? undefined} />;

/** A window over the page: Escape and a click beside it close it, and the focus goes back to where it was. */
export function Dialog({ title, close, children, wide }: { title: string; close: () => void; children: ComponentChildren; wide?: boolean }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => before instanceof HTMLElement && before.focus();
  }, []);
  return (
    <dialog ref={dialog} class={wide ? "wide" : ""} aria-labelledby={heading} onClose={close} onClick={(event) => event.target === dialog.current && close()}>
      <div class="dialog-body">
        <header class="dialog-head">
          <h2 id={heading}>{title}</h2>
          <IconButton icon="close" label="Close" onClick={close} />
        </header>
        {children}
      </div>
    </dialog>
  );
}
