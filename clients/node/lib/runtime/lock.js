'use strict';
// One process at a time. The lock is a file that its holder touches; one whose holder is gone is taken away. Two holders
// at once, which a clock or a file system could bring about, must do no more harm than to work twice.

const { randomUUID } = require('node:crypto');
const fs = require('node:fs/promises');
const os = require('node:os');
const { performance } = require('node:perf_hooks');
const { setTimeout: sleep } = require('node:timers/promises');

const WINDOWS = process.platform === 'win32';
const POLL_MS = 200;
const TOUCH_MS = 2_000;
/** A lock that nobody has touched for this long has no holder any more. Time in which the computer sleeps does not count. */
const ABANDONED_MS = 20_000;
/** Windows refuses for a moment what was just deleted. */
const PATIENCE = 25;

/**
 * Do `work` while no other process does any for this lock.
 *
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 * @param {() => void} check is called while waiting, and throws to give up
 * @param {number} abandonedMs
 * @returns {Promise<T>}
 */
async function withLock(file, work, check, abandonedMs = ABANDONED_MS) {
  const mine = JSON.stringify({ pid: process.pid, host: os.hostname(), token: randomUUID() });
  await acquire(file, mine, check, abandonedMs);
  const touching = setInterval(() => touch(file), TOUCH_MS);
  try {
    return await work();
  } finally {
    clearInterval(touching);
    if ((await look(file))?.text === mine) await fs.rm(file, { force: true });
  }
}

async function acquire(file, mine, check, abandonedMs) {
  let seen = null; // the lock as it was when it last changed
  let since = 0;
  for (let refusals = 0; ; ) {
    check();
    try {
      await fs.writeFile(file, mine, { flag: 'wx' });
      return;
    } catch (error) {
      const refused = WINDOWS && ['EPERM', 'EBUSY'].includes(error.code) && (refusals += 1) < PATIENCE;
      if (error.code !== 'EEXIST' && !refused) throw error;
    }
    const now = await look(file);
    if (now?.text !== seen?.text || now?.touched !== seen?.touched) [seen, since] = [now, performance.now()];
    if (now && (hasDied(now.text) || performance.now() - since > abandonedMs)) await takeAway(file, now.text);
    else await sleep(POLL_MS);
  }
}

async function touch(file) {
  const now = new Date();
  await fs.utimes(file, now, now).catch(() => {}); // without its lock, the work goes on
}

/** What is in the lock and when it was touched, or null if there is none. */
async function look(file) {
  try {
    return { text: await fs.readFile(file, 'utf8'), touched: (await fs.stat(file)).mtimeMs };
  } catch (error) {
    if (['ENOENT', 'EPERM', 'EBUSY'].includes(error.code)) return null;
    throw error;
  }
}

/** Whether the holder was a process of this computer that is not there any more. */
function hasDied(text) {
  try {
    const { pid, host } = JSON.parse(text);
    if (host === os.hostname()) process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH'; // a lock that is being written is no JSON yet
  }
}

/** Remove a lock without a holder, unless somebody else was quicker and the lock is another one now. */
async function takeAway(file, text) {
  const aside = `${file}.${randomUUID()}`;
  try {
    await fs.rename(file, aside);
    if ((await look(aside))?.text !== text) await fs.link(aside, file);
  } catch (error) {
    if (!['ENOENT', 'EEXIST', 'EPERM', 'EBUSY'].includes(error.code)) throw error;
  } finally {
    await fs.rm(aside, { force: true });
  }
}

module.exports = { withLock };
