'use strict';
// Rows as text: aligned for a terminal, or as Markdown.

/** `0.48` for seconds; an empty cell stays empty. */
function seconds(value) {
  return value === null || value === undefined ? '' : value.toFixed(2);
}

/**
 * @param {string[]} heads
 * @param {Array<Array<string | number>>} rows numbers are aligned to the right
 * @returns {string} lines that are indented by two
 */
function table(heads, rows) {
  const cells = [heads, ...rows].map((row) => row.map(String));
  const widths = heads.map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  const right = heads.map((_, column) => rows.length > 0 && rows.every((row) => isNumber(row[column])));
  const line = (row) => row.map((cell, i) => (right[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('  ');
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [line(cells[0]), rule, ...cells.slice(1).map(line)].map((text) => `  ${text}`.trimEnd()).join('\n');
}

function isNumber(cell) {
  return cell === '' || !Number.isNaN(Number(cell));
}

function markdownTable(heads, rows) {
  const line = (row) => `| ${row.map((cell) => String(cell).replace(/\|/g, '\\|')).join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n');
}

module.exports = { markdownTable, seconds, table };
