// Names of exported files, as templates that the server fills in.

const FIELDS = ["track", "stem", "model", "index"];

/** What is wrong with a template for so many files, or null. */
export function wrongIn(template: string, several: boolean): string | null {
  if (!template.trim()) return null;
  const unknown = [...template.matchAll(/\{([^{}]*)\}/g)].map((found) => found[1]!).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined) return `There is no {${unknown}}. There are ${FIELDS.map((name) => `{${name}}`).join(", ")}.`;
  if (/[{}]/.test(template.replace(/\{[^{}]*\}/g, ""))) return "A brace has no other one.";
  if (template.split(/[\\/]/).some((part) => ["", ".", ".."].includes(part.trim()))) return "This is not the name of a file.";
  if (several && !template.includes("{stem}")) return "Several files need {stem} in their names.";
  return null;
}
