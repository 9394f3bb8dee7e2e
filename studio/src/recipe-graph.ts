// A recipe as a drawing: the mix on the left, steps in columns after what they hear, files on the right.
import type { RecipeDocument } from "./server/types";

export interface Box {
  id: string;
  title: string;
  note: string;
  kind: "mix" | "model" | "blend" | "output" | "way"; // a way leads a wire past a column
  column: number;
  row: number;
}

export interface Wire {
  from: string;
  to: string;
}

export interface Graph {
  boxes: Box[];
  wires: Wire[];
  columns: number;
  rows: number;
}

const BLENDS = ["sum", "subtract", "residual", "ensemble", "bands", "gain", "phase_fix"];
const HEARD = ["input", "phase_of", ...BLENDS];
const MIX = "mix";

export function graphOf(document: RecipeDocument): Graph {
  const given = document.steps ?? {};
  const steps = new Map<string, Record<string, unknown>>(Array.isArray(given) ? given.map((step) => [step.name, step]) : Object.entries(given));
  const heard = new Map([...steps].map(([name, step]) => [name, sourcesOf(step, steps)]));
  const depths = new Map<string, number>([[MIX, 0]]);
  const depth = (name: string, above: readonly string[] = []): number => {
    const known = depths.get(name);
    if (known !== undefined || above.includes(name)) return known ?? 0; // a circle is an error of the recipe's, not of ours
    const deepest = 1 + Math.max(0, ...(heard.get(name) ?? []).map((source) => depth(source, [...above, name])));
    depths.set(name, deepest);
    return deepest;
  };
  const boxes: Box[] = [{ id: MIX, title: "Song", note: "", kind: "mix", column: 0, row: 0 }];
  for (const [name, step] of steps) {
    const blend = BLENDS.find((kind) => kind in step);
    const note = typeof step["model"] === "string" ? step["model"] : (blend?.replace("_", " ") ?? "");
    boxes.push({ id: name, title: name, note, kind: blend ? "blend" : "model", column: depth(name), row: 0 });
  }
  const direct = [...heard].flatMap(([to, sources]) => sources.map((from) => ({ from, to })));
  const last = Math.max(0, ...boxes.map((box) => box.column)) + 1;
  for (const [name, output] of Object.entries(document.outputs ?? {})) {
    const reference = typeof output === "string" ? output : output?.from;
    boxes.push({ id: `→${name}`, title: name, note: "", kind: "output", column: last, row: 0 });
    const from = reference && stepOf(reference, steps);
    if (from) direct.push({ from, to: `→${name}` });
  }
  const wires = led(direct, boxes);
  return { boxes, wires, columns: last + 1, rows: arrange(boxes, wires, last + 1) };
}

/** Wires from column to column: longer ones go over ways, which those of one box share. */
function led(direct: readonly Wire[], boxes: Box[]): Wire[] {
  const byId = new Map(boxes.map((box) => [box.id, box]));
  const wires = new Map<string, Wire>();
  for (const { from, to } of direct) {
    let previous = from;
    for (let column = byId.get(from)!.column + 1; column < byId.get(to)!.column; column++) {
      const id = `${from}→${column}`;
      if (!byId.has(id)) {
        const way: Box = { id, title: "", note: "", kind: "way", column, row: 0 };
        byId.set(id, way);
        boxes.push(way);
      }
      wires.set(`${previous} ${id}`, { from: previous, to: id });
      previous = id;
    }
    wires.set(`${previous} ${to}`, { from: previous, to });
  }
  return [...wires.values()];
}

/** Puts each box beside what it hears, and gives the number of rows. */
function arrange(boxes: readonly Box[], wires: readonly Wire[], columns: number): number {
  const inColumn = Array.from({ length: columns }, (_, column) => boxes.filter((box) => box.column === column));
  const rows = Math.max(...inColumn.map((some) => some.length));
  const placed = new Map<string, number>();
  for (const some of inColumn) {
    const wish = new Map<Box, number>();
    for (const box of some) {
      const sources = wires.flatMap(({ from, to }) => (to === box.id ? (placed.get(from) ?? []) : []));
      wish.set(box, sources.length ? sources.reduce((sum, row) => sum + row, 0) / sources.length : 0);
    }
    some.sort((a, b) => wish.get(a)! - wish.get(b)!);
    some.forEach((box, index) => {
      box.row = index + (rows - some.length) / 2;
      placed.set(box.id, box.row);
    });
  }
  return rows;
}

function sourcesOf(step: Record<string, unknown>, steps: ReadonlyMap<string, unknown>): string[] {
  const references = HEARD.flatMap((key) => step[key] ?? []).filter((one) => typeof one === "string");
  const found = references.flatMap((reference) => stepOf(reference, steps) ?? []);
  if ("residual" in step || (!found.length && "model" in step)) found.push(MIX);
  return [...new Set(found)];
}

function stepOf(reference: string, steps: ReadonlyMap<string, unknown>): string | null {
  const name = reference.split(".")[0]!;
  return name === MIX || steps.has(name) ? name : null;
}
