// Opens the page at an address so many times, each with nothing kept, and prints after how many milliseconds something was seen.
import { openBrowser } from "./page/browser.mjs";

const [address, runs] = process.argv.slice(2);
const browser = await openBrowser();
const times = [];
for (let run = 0; run <= Number(runs); run++) {
  const page = await browser.newPage();
  await page.goto(address);
  const time = await page.evaluate(
    () =>
      new Promise((resolve) => {
        new PerformanceObserver((list) => list.getEntriesByName("first-contentful-paint").forEach((entry) => resolve(entry.startTime))).observe({ type: "paint", buffered: true });
      }),
  );
  if (run) times.push(time); // the first one starts parts of the browser
  await page.close();
}
await browser.close();
console.log(JSON.stringify(times));
