// From what someone wants, in words, to the request that does it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { AIMS, firstChoice, modelChoice, moreAims, others, recipeChoice, recommended, requestFor, speedHere } from "../../src/choices";
import { wrongIn } from "../../src/names";
import { fieldsOf, valueOf } from "../../src/options";
import { graphOf } from "../../src/recipe-graph";
import type { Job, Model, Recipe } from "../../src/server/types";

const aim = (id: string) => AIMS.find((one) => one.id === id)!;
const model = (name: string, more: Partial<Model> = {}): Model => ({
  name, family: "networks", description: "", stems: ["vocals"], size_bytes: 1e6, license: "MIT", installed: false, purposes: ["vocals"], ...more,
});
const recipe = (more: Partial<Recipe> = {}): Recipe => ({ name: "dsu_mini", description: "", steps: [], stems: ["vocals"], models: [], installed: true, commercial: true, ...more });

test("what is there comes first, then the recommended from quick to good, and none comes twice", () => {
  const models = [
    model("b", { recommended: { vocals: "best" } }), model("f", { recommended: { vocals: "fast" } }), model("plain"),
    model("there", { installed: true }), model("drums", { purposes: ["stems"] }),
  ];
  const all = { models, purposes: {} };
  assert.deepEqual(recommended(aim("vocals"), all, []).map((one) => one.name), ["there", "f", "b"]);
  assert.deepEqual(others(aim("vocals"), all).map((one) => one.name), ["plain"]);
  assert.deepEqual(recommended(aim("six"), all, [recipe({ name: "six_stems" })]).map((one) => [one.kind, one.name]), [["recipe", "six_stems"]]);
});

test("what is installed is chosen first, and otherwise the middle way", () => {
  const [fast, good] = [modelChoice(model("f", { recommended: { vocals: "fast" } }), "vocals"), modelChoice(model("g", { recommended: { vocals: "good" } }), "vocals")];
  assert.equal(firstChoice([fast, good]), good);
  assert.equal(firstChoice([{ ...fast, installed: true }, good])?.name, "f");
  assert.equal(firstChoice([]), null);
});

test("vocals come with the music without them, however the model gives it", () => {
  const request = (more: Partial<Model>) => requestFor(aim("vocals"), modelChoice(model("m", more)), [], {});
  assert.deepEqual(request({}), { model: "m", start_at: 0, extract_instrumental: true });
  assert.deepEqual(request({ stems: ["Vocals", "Instrumental"] }), { model: "m", start_at: 0 });
  assert.deepEqual(request({ family: "demucs", stems: ["drums", "vocals"] }), { model: "m", start_at: 0, two_stems: "vocals" });
});

test("texts go to the model that understands them, and own options come last", () => {
  const choice = modelChoice(model("a", { family: "audiosep", stems: ["query"] }));
  assert.deepEqual(requestFor(aim("anything"), choice, ["rain", "a dog"], { seed: 3 }), { model: "a", start_at: 0, texts: ["rain", "a dog"], seed: 3 });
  assert.deepEqual(requestFor(aim("stems"), recipeChoice(recipe()), [], { start_at: 5 }), { recipe: "dsu_mini", start_at: 5 });
});

test("purposes that the page has no words for appear by themselves", () => {
  assert.deepEqual(moreAims({ vocals: "the singing", crowd: "the audience" }), [{ id: "crowd", title: "Crowd", about: "The audience", purpose: "crowd" }]);
});

test("a recipe's licence and size are those of all its models", () => {
  const models = [{ model: "a", installed: true, size_bytes: 2, license: "MIT" }, { model: "b", installed: false, size_bytes: 3, license: null }];
  const choice = recipeChoice(recipe({ models }));
  assert.deepEqual([choice.size, choice.license], [5, "MIT, licence not stated"]);
  assert.equal(recipeChoice(recipe({ models: [{ ...models[0]!, size_bytes: null }] })).size, null);
});

test("options are made of the schema: kinds, limits, and none that the page or the server decides", () => {
  const schema = {
    properties: {
      cmd: { enum: ["separate"] },
      input: { type: "string" },
      subtype: { description: "Another name for `pcm_type`.", type: "string" },
      clip: { enum: ["none", "clamp"], default: "none" },
      stems: { anyOf: [{ type: "array", items: { type: "string" } }, { type: "null" }] },
      preview: { $ref: "#/definitions/Preview" },
    },
    families: {
      demucs: { properties: { shifts: { anyOf: [{ type: "integer", minimum: 0, maximum: 20, description: "Random shifts." }, { type: "null" }] } } },
      networks: { properties: { use_tta: { type: "boolean", default: false } } },
    },
    definitions: { Preview: { type: "object" } },
  };
  const fields = fieldsOf(schema, "demucs");
  assert.deepEqual(fields.map(({ name, kind }) => [name, kind]), [["clip", "choice"], ["stems", "list"], ["preview", "json"], ["shifts", "number"]]);
  assert.equal(fields[3]!.about, "Random shifts.");
  assert.deepEqual(fieldsOf(schema, "networks").at(-1)!.kind, "switch");
});

test("what is typed becomes a value, or says what is wrong with it", () => {
  const base = { name: "x", about: "", fallback: null };
  const number = { ...base, kind: "number" as const, whole: true, from: 1, to: 50 };
  assert.equal(valueOf(number, " 8 "), 8);
  assert.equal(valueOf(number, ""), undefined);
  for (const [text, message] of [["0", /1 or more/], ["51", /50 or less/], ["2.5", /whole/], ["two", /not a number/]] as const) assert.throws(() => valueOf(number, text), message);
  assert.deepEqual(valueOf({ ...base, kind: "list", of: "number" }, "1, 0.5"), [1, 0.5]);
  assert.deepEqual(valueOf({ ...base, kind: "list", of: "text" }, "vocals, drums,"), ["vocals", "drums"]);
  assert.equal(valueOf({ ...base, kind: "switch" }, "false"), false);
  assert.deepEqual(valueOf({ ...base, kind: "json" }, '{"start": 3}'), { start: 3 });
  assert.equal(valueOf({ ...base, kind: "json" }, "source"), "source");
  assert.throws(() => valueOf({ ...base, kind: "json" }, '{"start"'), /JSON/);
});

test("a recipe's steps stand after what they hear, and its files last", () => {
  const { boxes, wires, columns } = graphOf({
    steps: { voice: { model: "a" }, band: { model: "b", input: "voice.rest" }, left: { residual: ["voice.vocals", "band.drums"] } },
    outputs: { vocals: "voice.vocals", other: { from: "left" } },
  });
  const column = Object.fromEntries(boxes.filter((box) => box.kind !== "way").map((box) => [box.title, box.column]));
  assert.deepEqual(column, { Song: 0, voice: 1, band: 2, left: 3, vocals: 4, other: 4 });
  assert.equal(columns, 5);
  const at = new Map(boxes.map((box) => [box.id, box.column]));
  for (const { from, to } of wires) assert.equal(at.get(to)! - at.get(from)!, 1);
  assert.equal(new Set(boxes.map((box) => `${box.column}/${box.row}`)).size, boxes.length);
});

test("a recipe that is not finished is drawn as far as it goes", () => {
  assert.deepEqual(graphOf({}).boxes.map((box) => box.title), ["Song"]);
  const circle = graphOf({ steps: { a: { model: "x", input: "b.y" }, b: { model: "x", input: "a.y" } }, outputs: { out: "nowhere.x" } });
  assert.deepEqual(circle.boxes.filter((box) => box.kind !== "way").map((box) => box.title).sort(), ["Song", "a", "b", "out"]);
});

test("how fast a model is here is what its latest job says", () => {
  const job = (name: string, speed: number, ended: number, state = "done") => ({ state, request: { model: name }, settings: { speed }, ended }) as unknown as Job;
  const jobs = [job("m", 2, 20), job("m", 3, 30), job("m", 9, 40, "failed"), job("other", 8, 50)];
  assert.equal(speedHere(modelChoice(model("m")), jobs), 3);
  assert.equal(speedHere(modelChoice(model("new")), jobs), null);
  assert.equal(speedHere(recipeChoice(recipe({ name: "m" })), jobs), null);
});

test("a template for names says what is wrong with it", () => {
  for (const right of ["", "{track} - {stem}", "{track}/{stem}", "{index} {stem} {model}"]) assert.equal(wrongIn(right, true), null);
  assert.equal(wrongIn("{track}", false), null);
  for (const wrong of ["{track}", "{song} {stem}", "{stem", "../{stem}", "a//{stem}", "{}{stem}"]) assert.ok(wrongIn(wrong, true), wrong);
});
