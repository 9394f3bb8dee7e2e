// The advanced options: a form field for each property of the request's schema.
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { type Field, valueOf } from "../options";
import { titled } from "../wording";
import { Marked } from "./common";

/** What was typed, by the option's name. It stays when another model is chosen: most options are the same for many. */
export const typed = signal<Record<string, string>>({});

export function optionValues(fields: readonly Field[]): { values: Record<string, unknown>; errors: Record<string, string> } {
  const values: Record<string, unknown> = {};
  const errors: Record<string, string> = {};
  for (const field of fields) {
    try {
      const value = valueOf(field, typed.value[field.name] ?? "");
      if (value !== undefined) values[field.name] = value;
    } catch (reason) {
      errors[field.name] = (reason as Error).message;
    }
  }
  return { values, errors };
}

function type(name: string, text: string): void {
  const next = { ...typed.value, [name]: text };
  if (!text) delete next[name];
  typed.value = next;
}

const MANY = 8;

export function OptionFields({ fields }: { fields: readonly Field[] }) {
  const [filter, setFilter] = useState("");
  const { errors } = optionValues(fields);
  const asked = filter.toLowerCase().trim();
  const shown = fields.filter((field) => `${field.name} ${field.about}`.toLowerCase().includes(asked));
  return (
    <div class="option-fields">
      {fields.length > MANY && <input type="search" placeholder="Find an option" aria-label="Find an option" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />}
      {shown.map((field) => (
        <OptionField key={field.name} field={field} error={errors[field.name]} />
      ))}
      {Object.keys(typed.value).length > 0 && (
        <button type="button" class="plain" onClick={() => (typed.value = {})}>
          Set all options back
        </button>
      )}
    </div>
  );
}

function OptionField({ field, error }: { field: Field; error: string | undefined }) {
  const id = `option-${field.name}`;
  const value = typed.value[field.name] ?? "";
  const common = { id, "aria-describedby": `${id}-about`, "aria-invalid": error ? true : undefined };
  const change = (event: { currentTarget: { value: string } }) => type(field.name, event.currentTarget.value);
  const usual = field.fallback === null || field.fallback === "" ? "automatic" : String(field.fallback);
  const values = field.kind === "choice" ? field.values : field.kind === "switch" ? ["true", "false"] : null;
  const shown = (one: string) => (field.kind === "switch" ? (one === "true" ? "yes" : "no") : one);
  return (
    <div class="field">
      <label for={id}>{titled(field.name)}</label>
      {values ? (
        <select {...common} value={value} onChange={change}>
          <option value="">{field.kind === "switch" ? shown(usual) : usual}</option>
          {values
            .filter((one) => one !== usual)
            .map((one) => (
              <option key={one} value={one}>
                {shown(one)}
              </option>
            ))}
        </select>
      ) : (
        <input {...common} type="text" inputMode={field.kind === "number" ? "decimal" : undefined} value={value} placeholder={field.kind === "list" ? "separated by commas" : usual} onInput={change} />
      )}
      <p id={`${id}-about`} class={error ? "error" : "hint"}>
        {error ?? <Marked text={field.about} />}
      </p>
    </div>
  );
}
