// A Chromium for the tests, and what they often do with a page.
import { accessSync, constants } from "node:fs";
import path from "node:path";
import { chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "chrome"];
const ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** The browser that `DSU_BROWSER` names or that is on the PATH, or null. */
export function findBrowser() {
  if (process.env.DSU_BROWSER) return process.env.DSU_BROWSER;
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name))).find(isProgram) ?? null;
}

function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Why the tests of the page are left out, or false. */
export const leftOut = findBrowser() ? false : "There is no Chromium on the PATH.";

export const openBrowser = () => chromium.launch({ executablePath: findBrowser() ?? undefined, args: ARGS });

/** Lets a test hear what the page plays: a node that measures stands before the loudspeakers, whatever is connected to them. */
function listenIn() {
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target instanceof AudioDestinationNode) {
      window.ear = new AnalyserNode(target.context, { fftSize: 32768 });
      connect.call(this, window.ear);
    }
    return connect.call(this, target, ...rest);
  };
}

/** The samples that were played last; none before anything was. */
export const lastHeard = (page) =>
  page.evaluate(() => {
    if (!window.ear) return [];
    const samples = new Float32Array(window.ear.fftSize);
    window.ear.getFloatTimeDomainData(samples);
    return [...samples];
  });

/** A page that keeps what went wrong in it, and what it fetched from elsewhere. */
export async function openPage(browser, address, options = {}) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: "dark", reducedMotion: "reduce", ...options });
  page.setDefaultTimeout(60000);
  page.wrongs = [];
  page.on("console", (message) => message.type() === "error" && page.wrongs.push(message.text()));
  page.on("pageerror", (error) => page.wrongs.push(String(error)));
  page.on("request", (request) => new URL(request.url()).origin === new URL(address).origin || page.wrongs.push(`fetched ${request.url()}`));
  await page.addInitScript(listenIn);
  await page.goto(address);
  await page.getByRole("heading", { name: "DSU Studio" }).waitFor();
  return page;
}

/** Waits until something holds, however long a busy machine takes. */
export async function until(holds, what) {
  const end = Date.now() + 60000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`This never came about: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
