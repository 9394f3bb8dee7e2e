'use strict';
// A program's flags as a table, for reading the command line and for `--help`.

const WIDTH = 100;
const COLUMN = 26;

/** A wrong command line, or something missing on the machine. The program exits with status 2. */
class SetupError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = 'SetupError';
  }
}

/** `exeDir` for `--exe-dir`. */
function keyOf(flag) {
  return flag.slice(2).replace(/-(\w)/g, (_, letter) => letter.toUpperCase());
}

/**
 * The values of a command line, by the flags' names in camel case.
 *
 * @param {string[]} words
 * @param {Array<{flag: string, value?: string, many?: boolean, commas?: boolean, number?: boolean,
 *   choices?: string[], help: string}>} options a flag without `value` is a switch; one with `many` may be given
 *   several times, and with `commas` it takes several values at once as well
 */
function parseArguments(words, options) {
  const values = {};
  for (let i = 0; i < words.length; i += 1) {
    const [flag, inline] = splitWord(words[i]);
    const option = options.find((known) => known.flag === flag);
    if (!option) throw new SetupError(unknownFlag(words[i], options));
    if (!option.value) {
      if (inline !== undefined) throw new SetupError(`${flag} takes no value.`);
      values[keyOf(flag)] = true;
      continue;
    }
    const text = inline ?? words[++i];
    store(values, option, text ?? '');
  }
  return values;
}

function splitWord(word) {
  const at = word.startsWith('--') ? word.indexOf('=') : -1;
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

function store(values, option, text) {
  const parts = (option.commas ? text.split(',') : [text]).filter(Boolean);
  if (parts.length === 0) throw new SetupError(`${option.flag} needs a value: ${option.flag} ${option.value}.`);
  for (const part of parts) {
    if (option.choices && !option.choices.includes(part)) {
      throw new SetupError(`${option.flag} has no choice \`${part}\`. Choose from ${option.choices.join(', ')}.`);
    }
    if (option.number && !/^[1-9]\d*$/.test(part)) {
      throw new SetupError(`${option.flag} needs a positive integer, not \`${part}\`.`);
    }
  }
  const key = keyOf(option.flag);
  if (option.many || option.commas) values[key] = [...(values[key] ?? []), ...parts];
  else values[key] = option.number ? Number(parts[0]) : parts[0];
}

function unknownFlag(word, options) {
  const flags = options.map(({ flag }) => flag);
  const near = flags.filter((flag) => distance(flag, splitWord(word)[0]) <= 2);
  return `There is no option ${word}. ${near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'See --help.'}`;
}

/** The edit distance of two words. */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length];
}

/** What `--help` prints. */
function helpText({ name, summary, options, examples }) {
  const rows = options.map((option) => optionText(option));
  const lines = examples.map((words) => `  node tests/${name}.js ${words}`.trimEnd());
  const parts = [[`Usage: node tests/${name}.js [options]`], wrap(summary, WIDTH), ['Options:', ...rows]];
  return [...parts, ['Examples:', ...lines]].map((part) => part.join('\n')).join('\n\n');
}

function optionText({ flag, value, help }) {
  const head = `  ${flag}${value ? ` ${value}` : ''}`;
  const lines = wrap(help, WIDTH - COLUMN).map((line) => ' '.repeat(COLUMN) + line);
  if (head.length >= COLUMN) return [head, ...lines].join('\n');
  lines[0] = head.padEnd(COLUMN) + lines[0].slice(COLUMN);
  return lines.join('\n');
}

function wrap(text, width) {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line ? `${line} ${word}` : word;
  }
  return lines;
}

module.exports = { SetupError, helpText, parseArguments };
