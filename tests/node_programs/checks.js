'use strict';
// The checks of a program: a line for each result, and their number.

class Checks {
  /** @param {(text: string) => void} say */
  constructor(say) {
    this.say = say;
    /** In order, for the report. */
    this.rows = [];
  }

  /**
   * @param {string} name what should hold, as a sentence
   * @param {boolean} passed
   * @param {string} detail what was found instead
   * @returns {boolean} `passed`
   */
  check(name, passed, detail = '') {
    this.rows.push(passed ? { name, passed } : { name, passed, detail });
    this.say(passed ? `  PASS  ${name}` : `  FAIL  ${name}${detail ? `: ${detail}` : ''}`);
    return passed;
  }

  /** `found` is `expected`, both being plain values. */
  equal(name, found, expected) {
    const [there, wanted] = [found, expected].map((value) => JSON.stringify(value) ?? 'nothing');
    return this.check(name, there === wanted, `it is ${there}, not ${wanted}`);
  }

  get failed() {
    return this.rows.filter(({ passed }) => !passed).length;
  }

  /** The last line of the output. */
  summary() {
    const passed = this.rows.length - this.failed;
    return `${this.failed > 0 ? 'FAILED' : 'PASSED'}: ${passed} of ${this.rows.length} checks passed.`;
  }
}

module.exports = { Checks };
