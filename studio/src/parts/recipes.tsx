// Recipes: choose one, see it as a graph, change its text, and use it.
import { useEffect, useRef, useState } from "preact/hooks";
import { recipeChoice } from "../choices";
import { recipesOpen, seenRecipe as current, takeRecipe } from "../preparing";
import { graphOf } from "../recipe-graph";
import { get, send } from "../server/client";
import type { RecipeDocument, Trouble, Verdict, WholeRecipe } from "../server/types";
import { attempt, complain, recipes } from "../state";
import { count, words } from "../wording";
import { Dialog, Wrong } from "./common";
import { ChoiceFacts } from "./models";

const CHECKED_AFTER_MS = 400;

export function RecipesWindow() {
  const close = () => (recipesOpen.value = false);
  return (
    <Dialog title="Recipes" close={close} wide>
      <div class="recipes">
        <ul class="recipe-list" aria-label="Recipes">
          {recipes.value.map((recipe) => (
            <li key={recipe.name}>
              <button type="button" aria-current={recipe.name === current.value ? "true" : undefined} onClick={() => (current.value = recipe.name)}>
                <strong>{words(recipe.name)}</strong>
                <small>{recipe.description}</small>
                <ChoiceFacts choice={recipeChoice(recipe)} />
              </button>
            </li>
          ))}
        </ul>
        {current.value && <OneRecipe key={current.value} name={current.value} close={close} />}
      </div>
    </Dialog>
  );
}

function OneRecipe({ name, close }: { name: string; close: () => void }) {
  const [whole, setWhole] = useState<WholeRecipe | null>(null);
  const [text, setText] = useState("");
  const [document, setDocument] = useState<RecipeDocument | null>(null);
  const [trouble, setTrouble] = useState<(Trouble & { line?: number | null }) | null>(null);
  const [checking, setChecking] = useState(false);
  const editor = useRef<HTMLTextAreaElement>(null);
  const changed = whole !== null && text !== whole.text;

  useEffect(() => {
    void attempt(async () => {
      const found = await get<WholeRecipe>(`/v1/recipes/${encodeURIComponent(name)}`);
      setWhole(found);
      setText(found.text);
      setDocument(found.document);
    });
  }, [name]);

  useEffect(() => {
    if (!whole || text === whole.text) {
      setTrouble(null);
      if (whole) setDocument(whole.document);
      setChecking(false);
      return;
    }
    setChecking(true);
    let late = false;
    const timer = window.setTimeout(async () => {
      try {
        const verdict = await send<Verdict>("POST", "/v1/recipes/check", { text });
        if (late || !verdict) return;
        setTrouble(verdict.ok ? null : verdict.error);
        if (verdict.ok) setDocument(verdict.document);
        setChecking(false);
      } catch (reason) {
        complain(reason);
      }
    }, CHECKED_AFTER_MS);
    return () => {
      late = true;
      window.clearTimeout(timer);
    };
  }, [text, whole]);

  function goTo(line: number): void {
    const start = text.split("\n").slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
    editor.current?.focus();
    editor.current?.setSelectionRange(start, start + (text.split("\n")[line - 1]?.length ?? 0));
  }

  if (!whole) return <div class="recipe" aria-busy="true" />;
  return (
    <div class="recipe">
      <div class="row spread">
        <h3>{words(name)}</h3>
        <button
          type="button"
          class="primary"
          disabled={checking || trouble !== null}
          onClick={() => {
            takeRecipe(name, changed ? document : null);
            close();
          }}
        >
          {changed ? "Use as changed" : "Use this recipe"}
        </button>
      </div>
      {document && <Graph document={document} />}
      <div class="editor">
        <Numbers text={text} wrong={trouble?.line ?? null} editor={editor} />
        <textarea
          ref={editor}
          spellcheck={false}
          autocomplete="off"
          aria-label="The recipe as text"
          aria-invalid={trouble ? true : undefined}
          aria-describedby="recipe-verdict"
          rows={Math.min(24, Math.max(10, text.split("\n").length + 1))}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </div>
      <div id="recipe-verdict" role="status" class="verdict">
        {trouble ? (
          <>
            <Wrong trouble={trouble} />
            {trouble.line && (
              <button type="button" class="plain" onClick={() => goTo(trouble.line!)}>
                Go to line {trouble.line}
              </button>
            )}
          </>
        ) : (
          <p class="hint">{checking ? "Checking…" : changed ? "This recipe can run." : count(whole.steps.length, "step")}</p>
        )}
        {changed && (
          <button type="button" class="plain" onClick={() => setText(whole.text)}>
            Take changes back
          </button>
        )}
      </div>
    </div>
  );
}

/** Line numbers, which scroll with the text; the one with the error is marked. */
function Numbers({ text, wrong, editor }: { text: string; wrong: number | null; editor: { current: HTMLTextAreaElement | null } }) {
  const column = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const area = editor.current;
    const follow = () => column.current && (column.current.style.transform = `translateY(${-area!.scrollTop}px)`);
    area?.addEventListener("scroll", follow);
    return () => area?.removeEventListener("scroll", follow);
  }, [editor]);
  return (
    <div class="numbers" aria-hidden="true">
      <div ref={column}>
        {text.split("\n").map((_, index) => (
          <span key={index} class={wrong === index + 1 ? "wrong-line" : ""}>
            {index + 1}
          </span>
        ))}
      </div>
    </div>
  );
}

const [BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y] = [136, 44, 44, 14];

function Graph({ document }: { document: RecipeDocument }) {
  const { boxes, wires, columns, rows } = graphOf(document);
  const places = new Map(boxes.map((box) => [box.id, [box.column * (BOX_WIDTH + GAP_X) + 1, box.row * (BOX_HEIGHT + GAP_Y) + 1] as const]));
  const [width, height] = [columns * (BOX_WIDTH + GAP_X) - GAP_X + 2, rows * (BOX_HEIGHT + GAP_Y) - GAP_Y + 2];
  const about = boxes.filter((box) => box.kind !== "way").map((box) => [words(box.title), box.note].filter(Boolean).join(": ")).join(", ");
  return (
    <div class="graph" tabIndex={0} role="region" aria-label="The recipe as a graph">
      <svg viewBox={`0 0 ${width} ${height}`} width={width} height={height} role="img" aria-label={about}>
        {wires.map(({ from, to }) => {
          const [x1, y1] = [places.get(from)![0] + BOX_WIDTH, places.get(from)![1] + BOX_HEIGHT / 2];
          const [x2, y2] = [places.get(to)![0], places.get(to)![1] + BOX_HEIGHT / 2];
          return <path key={`${from} ${to}`} class="wire" d={`M${x1} ${y1}C${x1 + GAP_X / 2} ${y1} ${x2 - GAP_X / 2} ${y2} ${x2} ${y2}`} />;
        })}
        {boxes.map((box) => {
          const [x, y] = places.get(box.id)!;
          if (box.kind === "way") return <path key={box.id} class="wire" d={`M${x} ${y + BOX_HEIGHT / 2}h${BOX_WIDTH}`} />;
          return (
            <g key={box.id} class={`box ${box.kind}`} transform={`translate(${x} ${y})`}>
              <title>{[box.title, box.note].filter(Boolean).join(": ")}</title>
              <rect width={BOX_WIDTH} height={BOX_HEIGHT} rx="9" />
              <text x="12" y={box.note ? 19 : 27}>
                {shortened(words(box.title), 17)}
              </text>
              {box.note && (
                <text x="12" y="35" class="note">
                  {shortened(box.note, 19)}
                </text>
              )}
            </g>
          );
        })}
      </svg>
    </div>
  );
}

const shortened = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
