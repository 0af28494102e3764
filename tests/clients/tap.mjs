// tap.mjs: tests that print TAP, one after the other, each bounded in time.
//
// A script makes one Tap, calls test() for each behaviour and end() last. A test fails by throwing. What a test leaves open
// it gives to `after`, which is called whether it passes or not. The whole script is bounded too: it bails out.

export class Failure extends Error {}

export class Tap {
	constructor({ script_ms = 120000, test_ms = 20000 } = {}) {
		this.test_ms = test_ms;
		this.count = 0;
		this.failed = 0;
		this.watchdog = setTimeout(() => {
			console.log('Bail out! the script did not end in time');
			process.exit(1);
		}, script_ms);
		this.watchdog.unref();
		process.on('uncaughtException', (error) => {
			console.log(`Bail out! ${error?.message ?? error}`);
			process.exit(1);
		});
	}

	async test(name, body, ms = this.test_ms) {
		const cleanups = [];
		const start = Date.now();
		let timer, fault = null;

		try {
			await Promise.race([
				body((cleanup) => cleanups.push(cleanup)),
				new Promise((_, reject) => {
					timer = setTimeout(() => reject(new Failure(`not done within ${ms} ms`)), ms);
				}),
			]);
		} catch (error) {
			fault = error;
		}
		clearTimeout(timer);
		for (const cleanup of cleanups.reverse()) {
			try {
				await cleanup();
			} catch (error) {
				fault ??= error;
			}
		}
		this.result(`${name} # ${Date.now() - start} ms`, fault);
		return fault === null;
	}

	result(name, fault) {
		this.count++;
		this.failed += fault === null ? 0 : 1;
		console.log(`${fault === null ? 'ok' : 'not ok'} ${this.count} - ${name}`);
		if (fault !== null)
			this.diagnose(fault instanceof Failure ? fault.message : String(fault?.stack ?? fault));
	}

	diagnose(text) {
		console.log(String(text).replace(/^/gm, '# '));
	}

	end() {
		console.log(`1..${this.count}`);
		clearTimeout(this.watchdog);
		process.exitCode = this.failed === 0 ? 0 : 1;
	}
}

function shown(value) {
	const text = typeof value === 'string' ? JSON.stringify(value) : JSON.stringify(value) ?? String(value);
	return text.length > 300 ? `${text.slice(0, 300)}… (${text.length} characters)` : text;
}

export function check(condition, message) {
	if (!condition)
		throw new Failure(message);
}

export function equal(actual, expected, what = 'value') {
	const same = typeof actual === 'object' || typeof expected === 'object'
		? JSON.stringify(actual) === JSON.stringify(expected) : Object.is(actual, expected);
	if (!same)
		throw new Failure(`${what}: got ${shown(actual)}, expected ${shown(expected)}`);
}

// A place where what arrives waits for the test that wants it.
export class Inbox {
	constructor() {
		this.items = [];
		this.seen = [];
		this.wake = null;
	}

	push(item) {
		this.items.push(item);
		this.seen.push(item);
		this.wake?.();
	}

	// The next item of which `wanted` is true; those before it are dropped.
	async next(wanted = () => true, ms = 10000) {
		const end = Date.now() + ms;
		for (;;) {
			while (this.items.length !== 0) {
				const item = this.items.shift();
				if (wanted(item))
					return item;
			}
			await this.change(end, () => `nothing such arrived within ${ms} ms; seen: ${shown(this.seen.slice(-5))}`);
		}
	}

	async change(end, message) {
		let timer;
		await new Promise((resolve, reject) => {
			this.wake = resolve;
			timer = setTimeout(() => reject(new Failure(message())), Math.max(0, end - Date.now()));
		});
		clearTimeout(timer);
		this.wake = null;
	}
}

// Asks again until the answer is true, for what cannot be waited on.
export async function until(question, what, ms = 10000) {
	const end = Date.now() + ms;
	for (;;) {
		const answer = await question();
		if (answer)
			return answer;
		if (Date.now() > end)
			throw new Failure(`not within ${ms} ms: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}
