/** What help adds to each command: what options mean there, exit codes of its own, and examples. */
import type { OptionText } from './option-text.ts';

export interface HelpRow {
  /** Where an option says something else than usual. */
  readonly options?: Readonly<Record<string, OptionText>>;
  /** Besides 0 for success and 1 for an error. */
  readonly exits?: Readonly<Record<string, string>>;
  /** Command lines, each with what it does. */
  readonly examples: readonly (readonly [line: string, does: string])[];
  /** Words that stand first among its arguments. */
  readonly words?: readonly string[];
}

const GRACE: OptionText = { value: 'SECONDS', text: 'this grace instead of the one the stack gives; 0 kills at once' };
const LOCKED = { 6: 'locked by another command' };
const APPLIED = {
  3: 'refused: the plan is stale',
  4: 'applied in part: what was done, what failed and what was not started is listed',
  ...LOCKED,
  130: 'interrupted: what ran has finished, the rest was not started',
};
const ITS_OWN = { N: "the command's own code" };

export const HELP: Readonly<Record<string, HelpRow>> = {
  reconcile: {
    options: {
      dir: { value: 'DIR', text: 'the directory of the repository that holds the stacks (default: its root)' },
      interval: { value: 'TIME', text: 'how often it fetches (default 60s, a tenth more or less)' },
      'allow-empty': { text: 'take a revision without stacks; with --prune that removes all of them' },
      json: { text: 'events as JSON, one a line' },
    },
    exits: { 5: '--once: a plan waits for approval' },
    examples: [
      ['tsbox reconcile --git /srv/stacks.git --prune --rollback', 'apply what is pushed there'],
      ["tsbox reconcile --git https://example.org/s.git --window 'allow 0 2 * * 1-5 4h'", 'at night on workdays only'],
    ],
  },
  watch: {
    options: {
      all: { text: 'every stack on this machine; each -f is a stack that is read by its file' },
      interval: { value: 'TIME', text: 'how often everything is read, whatever the kernel tells (default 60s)' },
      heal: {
        text: 'end drift, or with --heal=SEVERITY,… that of these (security, capacity, cosmetic), ever more rarely when it keeps coming back; changes of the file stay undone',
      },
      json: { text: 'events as JSON, one a line' },
    },
    examples: [
      ['tsbox watch -f shop.yaml --heal=security --listen 127.0.0.1:9180', 'heal what loosens a stack, tell the rest'],
      ['tsbox watch --all --json', 'every stack of the machine, for a log shipper'],
    ],
  },
  validate: {
    options: { json: { text: "every error and warning in the shape of Terraform's validate -json" } },
    examples: [['tsbox validate -f web.yaml', 'every error of the file with its place']],
  },
  plan: {
    options: {
      json: { text: "a line-delimited event stream in the shape of Terraform's (--format stream)" },
      format: {
        value: 'text|markdown|json|stream',
        text: "markdown is a comment on a change, json one document in the shape of Terraform's plans",
      },
      output: {
        value: 'FILE',
        text: 'save the plan: apply FILE does exactly this, or refuses when what it rests on has moved',
      },
    },
    exits: { 2: 'with --detailed-exitcode: there are changes' },
    examples: [
      ['tsbox plan -f web.yaml', 'what apply would change'],
      ['tsbox plan -f web.yaml --target container/db --detailed-exitcode', 'only that one; exit 2 when it changes'],
      ['tsbox plan -f web.yaml --kernel web.kernel', 'against a kernel that was recorded, without privileges'],
    ],
  },
  test: {
    options: {
      json: { text: "an event stream in the shape of OpenTofu's (--format json)" },
      format: { value: 'text|json|junit', text: 'the form of the results' },
      output: { value: 'FILE', text: 'write the XML of --format junit to this file' },
    },
    exits: { 1: 'a test failed, could not be run, or left something behind' },
    examples: [
      ['tsbox test', 'all tests of this directory'],
      ['tsbox test web.test.yaml --filter limits --verbose', 'one run of a file, with its plan'],
    ],
  },
  apply: {
    options: { json: { text: 'a line-delimited event stream' } },
    exits: APPLIED,
    examples: [
      ['tsbox apply -f web.yaml', 'shows the plan, asks, and does it'],
      ['tsbox apply -f web.yaml -y --var workers=3', 'without asking'],
    ],
  },
  drift: {
    options: {
      stack: {
        value: 'NAME',
        text: 'of these stacks without their files, by the records on their objects (may be repeated)',
      },
      all: { text: 'of every stack on this machine; each -f is a stack of its own, read by its file' },
      format: { value: 'text|json|markdown|html|junit|sarif|prometheus', text: 'the form of the report' },
      output: { value: 'FILE', text: 'write the report there' },
      record: { text: 'remember this run, for "third time this week" and the plot of the HTML report' },
      heal: {
        text: 'then end the drift, or with --heal=security,capacity,cosmetic that of some severities; changes of the file stay undone',
      },
    },
    exits: { 2: 'there is drift', ...APPLIED },
    examples: [
      ['tsbox drift -f web.yaml', 'what somebody changed since the last apply'],
      ['tsbox drift --all --record --format html -o drift.html', 'every stack here, as a page'],
      ['tsbox drift -f web.yaml --heal=security -y', 'ends what is for security, without asking'],
    ],
  },
  destroy: {
    options: { json: { text: 'a line-delimited event stream' } },
    exits: APPLIED,
    examples: [['tsbox destroy --stack web -y', 'without its file, without asking']],
  },
  ps: {
    options: {
      all: { text: 'of every stack, with how each last ended' },
      json: { text: 'one object for each container, with its last ten ends' },
    },
    examples: [['tsbox ps --all', 'the containers of every stack']],
  },
  show: {
    examples: [
      ['tsbox show container/web -f web.yaml', 'its values and the limits in effect'],
      ['tsbox show --devices 4711', 'what process 4711 may do with devices'],
    ],
  },
  import: {
    words: ['cgroup', 'pid'],
    examples: [
      ['tsbox import cgroup /system.slice/db.service > db.yaml', 'a stack that adopts it'],
      ['tsbox import pid 4711 > copy.yaml', 'a stack of a container like that process'],
    ],
  },
  logs: {
    options: {
      json: { text: 'one object a line: time, stack, container, stream, text' },
      timestamps: { text: 'the time of each line before it (-t)' },
    },
    examples: [['tsbox logs web --stack shop -n 20 -F', 'the last 20 lines, and what follows']],
  },
  stats: {
    options: {
      format: { value: 'text|json|prometheus', text: 'the form of the output' },
      interval: { value: 'SECONDS', text: 'rates are over this time (default 0.5)' },
    },
    examples: [['tsbox stats --stack shop', 'what its cgroups use']],
  },
  top: { examples: [['tsbox top --sort memory', 'the largest first, live']] },
  events: {
    options: { json: { text: 'one object a line' } },
    examples: [['tsbox events --stack shop', 'as it happens']],
  },
  cp: { examples: [['tsbox cp web:/var/log/app.log .', 'a file out of a container']] },
  exec: {
    options: {
      env: {
        value: 'KEY[=VALUE]',
        text: 'one more variable of its environment; of KEY alone the value that it has here',
      },
      user: { value: 'USER[:GROUP]', text: "as this user, by number or as the container's own /etc/passwd has it" },
      detach: { text: 'do not wait for it: its input is empty, and nobody reads what it writes' },
    },
    exits: { 126: 'the command cannot be run', 127: 'there is no such command', ...ITS_OWN },
    examples: [
      ['tsbox exec web -- ps ax', 'a command inside, with its privileges'],
      ['tsbox exec -it -u www-data web -- sh', 'a shell as a user of the container; ctrl-p ctrl-q leaves it'],
      ['tsbox exec -d web -- ./reindex', 'one that nobody waits for'],
    ],
  },
  run: {
    options: { name: { value: 'NAME', text: 'of its stack (run-…)' } },
    exits: { 125: 'tsbox failed', 126: 'the command cannot be run', 127: 'there is no such command', ...ITS_OWN },
    examples: [
      ['tsbox run --memory 64MiB --network none -- ./job', 'in namespaces and limits of its own'],
      ['tsbox run --share db:net -- ss -tln', 'in the network of a container'],
      [
        'tsbox run --image oci:./shop --mount bind:./data,target=/data',
        'the command of an image, with a directory of ours',
      ],
    ],
  },
  attach: { exits: ITS_OWN, examples: [['tsbox attach web', 'its terminal; ctrl-p ctrl-q leaves it']] },
  start: { exits: LOCKED, examples: [['tsbox start web -f web.yaml', 'one that was stopped']] },
  stop: {
    options: { timeout: GRACE },
    exits: LOCKED,
    examples: [['tsbox stop web --stack shop -t 5', 'killed after 5 s']],
  },
  restart: {
    options: { timeout: GRACE },
    exits: LOCKED,
    examples: [['tsbox restart web --stack shop', 'a new process']],
  },
  wait: {
    options: {
      timeout: { value: 'SECONDS', text: 'give up after this long: exit code 1' },
      json: { text: 'one object: address, exit, signal' },
    },
    examples: [['tsbox wait job --stack shop', 'until it ends; prints its exit code']],
  },
  pause: { exits: LOCKED, examples: [['tsbox pause web --stack shop', 'and waits until it is frozen']] },
  unpause: { exits: LOCKED, examples: [['tsbox unpause web --stack shop', 'lets it run again']] },
  freeze: { exits: LOCKED, examples: [['tsbox freeze cgroup/tenants --stack shop', 'a whole subtree']] },
  thaw: { exits: LOCKED, examples: [['tsbox thaw cgroup/tenants --stack shop', 'lets it run again']] },
  signal: {
    options: { all: { text: 'to each of its processes' } },
    exits: LOCKED,
    examples: [['tsbox signal web HUP --stack shop', 'to its main process']],
  },
  own: {
    exits: LOCKED,
    examples: [
      ['tsbox own cgroup/tenants memory.max --as autoscaler --stack shop', 'an autoscaler sets it from here on'],
      ['tsbox own cgroup/tenants --release --stack shop', 'gives it up'],
    ],
  },
  kill: {
    options: { signal: { value: 'SIGNAL', text: 'only this signal, as tsbox signal does' } },
    exits: LOCKED,
    examples: [['tsbox kill cgroup/tenants --stack shop', 'everything in it at once']],
  },
  unlock: {
    options: { timeout: { value: 'SECONDS', text: 'how long the end of the holder may take (default 30)' } },
    exits: { 6: 'it is locked' },
    examples: [['tsbox unlock --stack web', 'who holds the lock']],
  },
  graph: {
    options: { format: { value: 'svg|dot|mermaid|json', text: 'the form of the graph (default svg)' } },
    examples: [
      ['tsbox graph -f web.yaml -o web.svg', 'a picture, for light and dark'],
      ['tsbox graph -f web.yaml --format mermaid', 'for a README'],
      ['tsbox graph --live -o now.svg', 'what runs on this machine'],
    ],
  },
  fmt: {
    exits: { 2: 'with --check: a file is not in style' },
    examples: [
      ['tsbox fmt stack.yaml', 'in place'],
      ['tsbox fmt --check --diff stack.yaml', 'in CI'],
    ],
  },
  images: { words: ['prune'], examples: [['tsbox images', 'what the store holds']] },
  convert: {
    words: ['bundle', 'compose'],
    examples: [
      ['tsbox convert compose compose.yaml -o stack.yaml', 'a stack from a Compose file'],
      ['tsbox convert bundle ./bundle > web.yaml', 'a stack from an OCI bundle'],
    ],
  },
  checkpoint: {
    exits: LOCKED,
    examples: [['tsbox checkpoint web --stack shop --leave-running', 'into files, by CRIU']],
  },
  restore: { exits: APPLIED, examples: [['tsbox restore web -f web.yaml', 'goes on from its checkpoint']] },
  doctor: { examples: [['tsbox doctor', 'what is missing on this machine, and why']] },
  completion: {
    words: ['bash', 'zsh', 'fish'],
    examples: [['tsbox completion bash > ~/.local/share/bash-completion/completions/tsbox', 'for every shell to come']],
  },
  version: { examples: [['tsbox version', 'of tsbox, Node and the kernel']] },
};
