/** Device rules: compiler, interpreter, decoder, canonical form and v1 transitions against plain models. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { canonicalRules } from '../../src/resources/devices/canonical.ts';
import { compileRules } from '../../src/resources/devices/compile.ts';
import { decodePrograms } from '../../src/resources/devices/decode.ts';
import { decide } from '../../src/resources/devices/evaluate.ts';
import { parseDeviceRule, type DeviceRule } from '../../src/resources/devices/schema.ts';
import { canonicalFromList, v1Transition } from '../../src/resources/devices/v1.ts';
import {
  ACCESSES,
  V1Kernel,
  modelAllows,
  ruleArbitrary,
  rulesArbitrary,
  tellingPoints,
} from '../support/device-rules.ts';

const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
const runs = Number(process.env['FC_RUNS'] ?? 300);
console.log(`fast-check seed ${seed} (FC_SEED to repeat, FC_RUNS for more)`);
const check = <T extends [unknown, ...unknown[]]>(property: fc.IProperty<T>, numRuns = runs): void =>
  fc.assert(property, { seed, numRuns });

const parsed = (line: string): DeviceRule => {
  const rule = parseDeviceRule(line.startsWith('allow '), line.replace(/^(allow|deny) /, ''));
  if (typeof rule === 'string') throw new Error(rule);
  return rule;
};

test('a compiled program decides every telling request as the rules do', () => {
  check(
    fc.property(rulesArbitrary, (rules) => {
      const program = compileRules(rules);
      for (const point of tellingPoints(rules)) {
        for (const access of ACCESSES) {
          const found = decide(program, { ...point, access });
          if (found !== modelAllows(rules, point, access))
            throw new Error(`${JSON.stringify(point)} ${access}: ${found}`);
        }
      }
    }),
    Math.ceil(runs / 10),
  );
});

test('a compiled program decides random requests as the rules do', () => {
  const request = fc.record({
    type: fc.constantFrom('b' as const, 'c' as const),
    major: fc.oneof(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 4095 })),
    minor: fc.oneof(fc.integer({ min: 0, max: 8 }), fc.integer({ min: 0, max: 0xfffff })),
    access: fc.constantFrom(...ACCESSES),
  });
  check(
    fc.property(rulesArbitrary, fc.array(request, { minLength: 20, maxLength: 20 }), (rules, requests) => {
      const program = compileRules(rules);
      for (const r of requests) assert.is(decide(program, r), modelAllows(rules, r, r.access));
    }),
  );
});

test('decoding what was compiled gives the canonical rules', () => {
  check(
    fc.property(rulesArbitrary, (rules) => assert.equal(decodePrograms([compileRules(rules)]), canonicalRules(rules))),
  );
});

test('programs of a cgroup and its ancestors decode to what all of them allow', () => {
  check(
    fc.property(rulesArbitrary, rulesArbitrary, (x, y) => {
      const lines = decodePrograms([compileRules(x), compileRules(y)]);
      const both = (lines === 'opaque' ? [] : lines).map(parsed);
      for (const p of tellingPoints([...x, ...y])) {
        for (const access of ACCESSES) {
          const want = modelAllows(x, p, access) && modelAllows(y, p, access);
          if (modelAllows(both, p, access) !== want) throw new Error(`${JSON.stringify(p)} ${access}`);
        }
      }
    }),
    Math.ceil(runs / 5),
  );
});

test('canonical lines are rules with the same meaning, and their own canonical form', () => {
  check(
    fc.property(rulesArbitrary, (rules) => {
      const lines = canonicalRules(rules);
      const again = lines.map(parsed);
      assert.equal(canonicalRules(again), lines);
      for (const p of tellingPoints(rules)) {
        for (const access of ['r', 'w', 'm'] as const)
          assert.is(modelAllows(again, p, access), modelAllows(rules, p, access));
      }
    }),
    Math.ceil(runs / 2),
  );
});

test('canonical text is equal exactly when the meaning is', () => {
  const small = fc.array(
    fc.record({
      allow: fc.boolean(),
      type: fc.constantFrom('a' as const, 'c' as const),
      major: fc.constantFrom<number | '*'>('*', 1),
      minor: fc.constantFrom<number | '*'>('*', 0, 1),
      access: fc.constantFrom('r' as const, 'rw' as const),
    }),
    { maxLength: 3 },
  );
  let equal = 0;
  const same = (x: readonly DeviceRule[], y: readonly DeviceRule[]): boolean =>
    tellingPoints([...x, ...y]).every((p) =>
      (['r', 'w', 'm'] as const).every((a) => modelAllows(x, p, a) === modelAllows(y, p, a)),
    );
  const holds = (x: readonly DeviceRule[], y: readonly DeviceRule[]): void => {
    const meaning = same(x, y);
    if (meaning) equal++;
    assert.is(canonicalRules(x).join('\n') === canonicalRules(y).join('\n'), meaning);
  };
  check(fc.property(small, small, holds), runs * 4);
  // A rule that a later one covers wholly says nothing, wherever it stands before it.
  check(
    fc.property(rulesArbitrary, ruleArbitrary, fc.nat(), (rules, cover, place) => {
      const narrow: DeviceRule = { ...cover, allow: !cover.allow };
      const at = place % (rules.length + 1);
      holds([...rules, cover], [...rules.slice(0, at), narrow, ...rules.slice(at), cover]);
    }),
    Math.ceil(runs / 4),
  );
  assert.ok(equal > runs / 4, `only ${equal} pairs were equal: the test proves little`);
});

test('v1 writes lead to the rules and never pass outside old and new', () => {
  let expressed = 0;
  check(
    fc.property(fc.boolean(), rulesArbitrary, rulesArbitrary, (fresh, old, rules) => {
      const kernel = new V1Kernel(fresh);
      const start = v1Transition('', old);
      if (!fresh && start.ok) for (const w of start.writes) kernel.write(w.file, w.line);
      const from = kernel.list();
      const result = v1Transition(from, rules);
      if (!result.ok) {
        assert.ok(
          canonicalRules(rules).some((l) => l.startsWith('deny') || /:\d+-\d+ /.test(l)),
          result.inexpressible,
        );
        return;
      }
      expressed++;
      const points = tellingPoints([...old, ...rules]);
      const before = points.map((p) => ACCESSES.map((a) => kernel.allows(p, a)));
      for (const w of result.writes) {
        kernel.write(w.file, w.line);
        let [addsToOld, addsToNew] = [false, false];
        points.forEach((p, i) =>
          ACCESSES.forEach((a, j) => {
            const [was, will, is] = [before[i]?.[j] === true, modelAllows(rules, p, a), kernel.allows(p, a)];
            addsToOld ||= is && !was;
            addsToNew ||= is && !will;
            if (!is && was && will && !result.denyAllMoment) throw new Error(`${w.line}: less than old and new`);
          }),
        );
        // Not even a mixture of both: at each moment the list is within the one or within the other.
        if (addsToOld && addsToNew) throw new Error(`${w.line}: wider than the old and than the new`);
      }
      assert.equal(canonicalFromList(kernel.list()), canonicalRules(rules));
      for (const p of points) for (const a of ACCESSES) assert.is(kernel.allows(p, a), modelAllows(rules, p, a));
      const again = v1Transition(kernel.list(), rules);
      assert.equal(again, { ok: true, writes: [], denyAllMoment: false });
    }),
  );
  assert.ok(expressed > runs / 10, `only ${expressed} transitions were expressible`);
});

test.run();
