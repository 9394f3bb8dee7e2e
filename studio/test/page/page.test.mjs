// The page as people use it, against a stand-in for the server.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { RATE, sound, StandIn } from "../server.mjs";
import { lastHeard, leftOut, openBrowser, openPage, until } from "./browser.mjs";

const DIST = path.join(path.dirname(fileURLToPath(import.meta.url)), "..", "..", "dist");
const SMALL_BYTES = 500_000;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const song = (name, content = name) => ({ name, mimeType: "audio/flac", buffer: Buffer.from(content) });

test("the page is small, and asks for nothing inline", () => {
  const files = readdirSync(DIST, { recursive: true }).map((name) => path.join(DIST, name));
  assert.ok(files.reduce((sum, file) => sum + statSync(file).size, 0) < SMALL_BYTES);
  assert.doesNotMatch(readFileSync(path.join(DIST, "index.html"), "utf8"), /<style| style=|<script>|https?:/);
});

describe("in a browser", { skip: leftOut }, () => {
  let browser;
  let standIn;
  let address;
  let page;
  before(async () => (browser = await openBrowser()));
  after(() => browser?.close());
  beforeEach(async () => {
    standIn = new StandIn({ speed: 40, seconds: 24 });
    address = await standIn.listen();
  });

  /** Runs with a page, and holds it to having done nothing wrong. */
  const withPage = (options, work) => async () => {
    try {
      page = await openPage(browser, address, options);
      await work();
      assert.deepEqual(page.wrongs, []);
    } finally {
      await page?.close();
      await standIn.close();
    }
  };
  const row = (title) => page.locator(".job", { hasText: title });
  const sent = (method, end) => standIn.asked.filter(([how, where]) => how === method && where.endsWith(end));
  const heard = async () => Number((await page.locator(".time span").first().textContent()).split(":").at(-1));

  test("songs are sent, separated and heard", withPage({}, async () => {
    await page.getByLabel("Songs", { exact: true }).setInputFiles([song("One.flac"), song("Two.flac")]);
    await page.locator(".aim", { hasText: "Four stems" }).click();
    await page.locator(".choice", { hasText: "htdemucs_ft" }).click();
    await page.getByText("Options").click();
    await page.getByLabel("Batch size").fill("0");
    await page.getByText("This must be 1 or more.").waitFor();
    await page.getByLabel("Batch size").fill("4");
    await page.getByRole("button", { name: "Separate 2 songs" }).click();
    await row("Two").waitFor();
    const [[, , job]] = sent("POST", "/v1/jobs");
    assert.deepEqual(job.request, { model: "htdemucs_ft", start_at: 0, batch_size: 4 });
    assert.equal(job.title, "One");
    await page.getByRole("group", { name: "Vocals" }).waitFor();
    await page.getByRole("button", { name: "Play", exact: true }).click();
    await until(async () => (await heard()) > 0.5, "it plays");
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("button", { name: "Mute Drums" }).click();
    await page.getByLabel("Volume of Bass").fill("0.5");
    await page.getByRole("button", { name: "Export" }).click();
    await page.getByRole("button", { name: "One file, as the faders are" }).click();
    const link = await page.getByRole("link", { name: "Save", exact: true }).getAttribute("href");
    assert.match(decodeURIComponent(link), /export\?mix=bass:0\.5:0,other:1:0,vocals:1:0&format=flac&sample=PCM_24$/);
  }));

  test("what goes wrong says what to do, and can be tried again", withPage({}, async () => {
    standIn.addJob({ title: "Broken" }, { model: "broken" });
    await row("Broken").getByText("Choose one from the list.").waitFor();
    standIn.jobs.get("job-1").request.model = "dsu_mini";
    await row("Broken").getByRole("button", { name: "Try Broken again" }).click();
    await row("Broken").getByText("took").waitFor();
    await page.getByLabel("Songs", { exact: true }).setInputFiles([song("Empty.flac", "")]);
    await page.getByText("Choose another one.").waitFor();
    page.wrongs = page.wrongs.filter((wrong) => !wrong.includes("400")); // the browser's own line about it
  }));

  test("the queue is the server's: it can be ordered, and outlives reloads and cuts", withPage({}, async () => {
    standIn.speed = 0;
    for (const title of ["First", "Second", "Third"]) standIn.addJob({ title });
    await row("First").getByText("0 %").waitFor();
    await page.getByRole("button", { name: "Move Third up" }).click();
    await row("Third").getByText("next").waitFor();
    await page.reload();
    await row("Third").getByText("next").waitFor();
    standIn.cut();
    standIn.addJob({ title: "Meanwhile" });
    await row("Meanwhile").waitFor();
    await page.getByRole("button", { name: "Cancel Second" }).click();
    await row("Second").getByText("cancelled").waitFor();
    await page.getByRole("button", { name: "Remove Second" }).click();
    await row("Second").waitFor({ state: "detached" });
    page.wrongs = page.wrongs.filter((wrong) => !wrong.includes("ERR_")); // the cut
  }));

  test("a click on what is not there yet moves the work there", withPage({}, async () => {
    standIn.speed = 1;
    standIn.addJob({ title: "Long", duration_s: 600 });
    const lane = page.locator(".lane").first();
    await lane.waitFor();
    const box = await lane.boundingBox();
    await page.mouse.click(box.x + box.width * 0.5, box.y + 5);
    await until(() => sent("POST", "/seek").length, "the server is asked to go there");
    assert.ok(Math.abs(sent("POST", "/seek")[0][2].position_s - 300) < 5);
    assert.equal(await page.getByRole("slider", { name: "Position" }).getAttribute("aria-valuenow"), "300");
  }));

  /** Whether the page plays exactly these stems, together, at a place near its playhead: some thousand samples without a gap. */
  const plays = async (...stems) => {
    const samples = await lastHeard(page);
    if (!samples.length) return false;
    const near = Math.round((await heard()) * RATE);
    const block = samples.slice(-4096);
    const isThere = (start) => block.every((sample, index) => Math.abs(sample - stems.reduce((sum, stem) => sum + sound(stem, start + index), 0)) < 1e-3);
    for (let start = Math.max(0, near - 2 * RATE); start < near + RATE; start++) {
      if (stems.length && isThere(start)) return true;
    }
    return !stems.length && block.every((sample) => sample === 0);
  };

  test("what is heard before the end is what the files say, alone or together, to the sample", withPage({}, async () => {
    standIn.speed = 1;
    standIn.addJob({ title: "Long", duration_s: 600 });
    await page.getByRole("group", { name: "Drums" }).waitFor();
    standIn.jobs.get("job-1").ready = [[0, 60 * RATE]]; // and it stays so
    standIn.speed = 0;
    await page.reload();
    await page.getByRole("button", { name: "Play", exact: true }).click();
    await until(() => plays("vocals", "drums", "bass", "other"), "all stems are heard");
    assert.equal(standIn.jobs.get("job-1").state, "running");
    await page.getByRole("button", { name: "Solo Drums" }).click();
    await until(() => plays("drums"), "one is heard alone");
    await page.getByRole("button", { name: "Solo Drums" }).click();
    await page.getByRole("button", { name: "Mute Drums" }).click();
    await until(() => plays("vocals", "bass", "other"), "all but one are heard");
    for (const stem of ["Vocals", "Bass", "Other"]) await page.getByRole("button", { name: `Mute ${stem}` }).click();
    await until(() => plays(), "nothing is heard");
    await page.keyboard.press("b");
    await until(() => plays("mix"), "the song is heard");
  }));

  test("two tabs show the same queue, and what one of them does", withPage({}, async () => {
    standIn.speed = 0;
    const other = await openPage(browser, address);
    try {
      for (const title of ["First", "Second", "Third"]) standIn.addJob({ title });
      const there = (title) => other.locator(".job", { hasText: title });
      await row("First").getByText("0 %").waitFor();
      await there("First").getByText("0 %").waitFor();
      await other.getByRole("button", { name: "Move Third up" }).click();
      await row("Third").getByText("next").waitFor();
      await page.getByRole("button", { name: "Cancel Second" }).click();
      await there("Second").getByText("cancelled").waitFor();
      await other.getByRole("button", { name: "Remove Second" }).click();
      await row("Second").waitFor({ state: "detached" });
      await page.getByRole("button", { name: "Cancel First" }).click();
      standIn.speed = 40;
      for (const tab of [page, other]) await tab.locator(".job", { hasText: "Third" }).getByText("took").waitFor();
      assert.deepEqual(other.wrongs, []);
    } finally {
      await other.close();
    }
  }));

  test("everything about listening works by keyboard", withPage({}, async () => {
    standIn.addJob({ title: "Done", state: "done" });
    await page.getByRole("group", { name: "Bass" }).waitFor();
    await page.keyboard.press("ArrowRight");
    assert.equal(await page.getByRole("slider", { name: "Position" }).getAttribute("aria-valuetext"), "0:05 of 0:24");
    await page.keyboard.press("2");
    assert.equal(await page.getByRole("button", { name: "Solo Bass" }).getAttribute("aria-pressed"), "true");
    await page.keyboard.press("l");
    assert.equal(await page.getByLabel("Start of the loop").inputValue(), "0:05.0");
    await page.getByLabel("End of the loop").fill("0:06");
    await page.keyboard.press("Tab");
    await page.evaluate(() => document.activeElement.blur()); // on a button, Space would press that
    await page.keyboard.press("+");
    await page.getByLabel("Visible part").waitFor();
    await page.keyboard.press(" ");
    await until(async () => (await heard()) > 5.1, "it plays");
    for (let turn = 0; turn < 30; turn++) assert.ok((await heard()) <= 6.1);
    await page.keyboard.press("b");
    assert.equal(await page.getByRole("button", { name: "Song", exact: true }).getAttribute("aria-pressed"), "true");
  }));

  test("a recipe is seen, changed and used, and its errors are in their place", withPage({}, async () => {
    await page.getByLabel("Songs", { exact: true }).setInputFiles([song("One.flac")]);
    await page.getByRole("button", { name: "Recipes" }).click();
    const text = page.getByLabel("The recipe as text");
    await text.waitFor();
    assert.match(await page.getByRole("region", { name: "The recipe as a graph" }).textContent(), /band/);
    const whole = await text.inputValue();
    await text.fill(whole.replace("dsu_mini", "dsu_maxi"));
    await page.getByText("Did you mean").waitFor();
    assert.equal(await page.locator(".wrong-line").textContent(), "3");
    assert.equal(await page.getByRole("button", { name: "Use as changed" }).isDisabled(), true);
    await text.fill(`${whole}# mine\n`);
    await page.getByText("This recipe can run.").waitFor();
    await page.getByRole("button", { name: "Use as changed" }).click();
    await page.getByRole("button", { name: "Separate 1 song" }).click();
    await row("One").waitFor();
    assert.equal(sent("POST", "/v1/jobs")[0][2].request.recipe.outputs.other, "left");
  }));

  test("a model is fetched, and is there then", withPage({}, async () => {
    await page.getByRole("button", { name: "Models" }).click();
    await page.getByLabel("Search models").fill("scnet");
    await page.getByRole("button", { name: "Download scnet_xl_ihf" }).click();
    await page.locator(".model-list").getByText("installed").waitFor();
  }));

  for (const [width, height, colorScheme] of [[360, 740, "light"], [2560, 1400, "dark"]]) {
    test(`it fits ${width} pixels, and everybody can use it in ${colorScheme} colours`, withPage({ viewport: { width, height }, colorScheme }, async () => {
      standIn.addJob({ title: "Done", state: "done", warnings: ["The song has `clipped` samples."] });
      standIn.addJob({ title: "Broken" }, { model: "broken" });
      await page.getByLabel("Songs", { exact: true }).setInputFiles([song("One.flac")]);
      await row("Broken").getByText("Choose one").waitFor();
      await row("Done").getByRole("button", { name: "Done", exact: true }).click();
      await page.getByRole("group", { name: "Vocals" }).waitFor();
      await page.getByText("Options").click();
      await page.evaluate(AXE);
      const seen = async () => {
        const { violations } = await page.evaluate(() => axe.run());
        const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
        assert.deepEqual(grave.map(({ id, nodes }) => [id, nodes[0].html, nodes[0].failureSummary]), []);
        assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width);
      };
      await seen();
      for (const name of ["Recipes", "Models", /^This machine/]) {
        await page.getByRole("button", { name }).click();
        if (name === "Recipes") await page.getByLabel("The recipe as text").waitFor();
        await seen();
        await page.getByRole("button", { name: "Close" }).click();
      }
      await page.getByRole("button", { name: "Export" }).click();
      await seen();
    }));
  }
});
