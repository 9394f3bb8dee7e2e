// Form fields out of the JSON Schema of a request, so that new options appear by themselves.
import type { Schema } from "./server/types";

export type Field = { name: string; about: string; fallback: unknown } & (
  | { kind: "choice"; values: string[] }
  | { kind: "switch" }
  | { kind: "number"; whole: boolean; from: number | null; to: number | null }
  | { kind: "text" }
  | { kind: "list"; of: "text" | "number" }
  | { kind: "json" }
);

// What the page itself says with its other parts, and what the server decides.
const NOT_HERE = new Set(["cmd", "id", "strict", "debug", "input", "inputs", "output", "output_dir", "model", "recipe", "family", "progress", "stream", "start_at", "share", "shares", "text", "texts"]);
const ALIAS = /^(Another name for|Accepted for compatibility)/;

/** The options of a model of this family: those of all, and its own. */
export function fieldsOf(schema: Schema, family: string): Field[] {
  return Object.entries({ ...schema.properties, ...schema.families?.[family]?.properties })
    .filter(([name]) => !NOT_HERE.has(name))
    .map(([name, property]) => fieldOf(name, property, schema.definitions ?? {}))
    .filter((field) => !ALIAS.test(field.about));
}

function fieldOf(name: string, property: Schema, definitions: Record<string, Schema>): Field {
  const options = (property.anyOf ?? [property]).map((option) => resolved(option, definitions)).filter((option) => option.type !== "null");
  const about = property.description ?? options.find((option) => option.description)?.description ?? "";
  const base = { name, about, fallback: property.default ?? null };
  if (options.length !== 1) return { ...base, kind: "json" };
  const [only] = options as [Schema];
  if (only.enum) return { ...base, kind: "choice", values: only.enum.map(String) };
  switch (only.type) {
    case "boolean":
      return { ...base, kind: "switch" };
    case "integer":
    case "number":
      return { ...base, kind: "number", whole: only.type === "integer", from: only.minimum ?? null, to: only.maximum ?? null };
    case "string":
      return { ...base, kind: "text" };
    case "array": {
      const of = only.items?.type;
      if (of === "string") return { ...base, kind: "list", of: "text" };
      return of === "number" || of === "integer" ? { ...base, kind: "list", of: "number" } : { ...base, kind: "json" };
    }
    default:
      return { ...base, kind: "json" };
  }
}

function resolved(schema: Schema, definitions: Record<string, Schema>): Schema {
  const name = schema.$ref?.split("/").at(-1);
  return (name && definitions[name]) || schema;
}

/** What was typed, as a value of the request; undefined for nothing. Raises what is wrong with it. */
export function valueOf(field: Field, typed: string): unknown {
  const text = typed.trim();
  if (!text) return undefined;
  switch (field.kind) {
    case "switch":
      return text === "true";
    case "number":
      return checked(field, text);
    case "list":
      return text.split(",").map((item) => (field.of === "number" ? plainNumber(item) : item.trim())).filter((item) => item !== "");
    case "json":
      return freely(text);
    default:
      return text;
  }
}

function checked(field: Field & { kind: "number" }, text: string): number {
  const number = plainNumber(text);
  if (field.whole && !Number.isInteger(number)) throw new Error("This must be a whole number.");
  if (field.from !== null && number < field.from) throw new Error(`This must be ${field.from} or more.`);
  if (field.to !== null && number > field.to) throw new Error(`This must be ${field.to} or less.`);
  return number;
}

function plainNumber(text: string): number {
  const number = Number(text.trim());
  if (!text.trim() || !Number.isFinite(number)) throw new Error(`"${text.trim()}" is not a number.`);
  return number;
}

/** JSON where it is, and otherwise the words themselves: some fields take a number or a word. */
function freely(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    if (/^[[{"]/.test(text)) throw new Error("This is not complete JSON.");
    return text;
  }
}
