'use strict';
// In place of max-api in a process of its own: the test that forked it is Max.

const { StandIn } = require('../helpers');

const max = new StandIn();
max.outlet = (...atoms) => new Promise((resolve) => process.send({ outlet: atoms }, resolve));
process.on('message', (atoms) => max.fire(...atoms));

module.exports = max;
