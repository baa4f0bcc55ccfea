#!/usr/bin/env -S node --
// The command: runs the bundle beside it from V8's code cache (vm.Script, cachedData), which spares compiling a megabyte
// at every start. A cache made by another Node is refused by V8 and the bundle is compiled as usual. This is CommonJS
// because Node's loader of modules costs a fifth of Node's own start.
'use strict';
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { setFlagsFromString } = require('node:v8');
const { Script } = require('node:vm');

// Optimizing later: a command ends before most of what the compiler would do on the other processor pays, and starting
// containers needs that one. Newer ones than Node 20 have a cheaper compiler before that and no such flag. It is part of
// what V8 compares before it takes a code cache.
if (process.versions.node.startsWith('20.')) {
  setFlagsFromString('--interrupt-budget=1000000');
}

const filename = join(__dirname, 'tsbox.cjs');

function codeCache() {
  try {
    return readFileSync(join(__dirname, 'tsbox.cache'));
  } catch {
    return undefined;
  }
}

// The bundle is pure ASCII: as latin1 it is neither decoded nor widened.
const script = new Script(readFileSync(filename, 'latin1'), { filename, cachedData: codeCache() });
script.runInThisContext()(require, filename);

// For the build, which writes the cache.
module.exports = script;
