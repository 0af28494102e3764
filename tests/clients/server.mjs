// server.mjs: a ringcastd of one's own, for tests in Node. Shared by tests/clients and tests/browser.
//
// The programs are taken from RINGCAST_BIN (default build/release of this tree). The server gets a fresh directory and a
// port of the system's choice; its life is tied to ours (setpriv --pdeathsig), and what it leaves is looked at in stop().

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure, until } from './tap.mjs';

const tree = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const programs = resolve(process.env.RINGCAST_BIN || join(tree, 'build/release'));

const running = new Set();
process.on('exit', () => running.forEach((server) => server.destroy()));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
	process.on(signal, () => process.exit(1));

// The parent of a process, by its stat line; the name in it may contain anything but ends with the last bracket.
function parentOf(pid) {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
		return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
	} catch {
		return 0;
	}
}

// One request of node:http: {status, headers, body: Buffer, text, json}. For what fetch will not send (Host, Origin, Unix sockets).
export function ask(options, body) {
	return new Promise((resolve, reject) => {
		const request = http.request({ agent: false, ...options }, (response) => {
			const chunks = [];
			response.on('data', (chunk) => chunks.push(chunk));
			response.on('error', reject);
			response.on('end', () => {
				const bytes = Buffer.concat(chunks);
				resolve({
					status: response.statusCode,
					headers: response.headers,
					body: bytes,
					get text() { return bytes.toString(); },
					get json() { return JSON.parse(bytes.toString()); },
				});
			});
		});
		request.on('upgrade', (response, socket) => {
			socket.destroy();
			resolve({ status: response.statusCode, headers: response.headers });
		});
		request.on('error', reject);
		request.end(body);
	});
}

export class Server {
	// `config` goes into the configuration as it is, over what a test needs anyway.
	constructor(config = {}) {
		if (!existsSync(join(programs, 'ringcastd')))
			throw new Failure(`no ringcastd in ${programs}: set RINGCAST_BIN`);
		this.directory = mkdtempSync(join(tmpdir(), 'ringcast-node-'));
		this.socket = join(this.directory, 'publish.sock');
		this.log = '';
		this.ended = null;
		this.config = {
			listen: ['127.0.0.1:0'],
			socket: this.socket,
			workers: 2,
			channels: [
				{ match: 'secret.*', subscribe: 'nobody' },
				{ match: 'demo.*', publish: 'anyone' },
				{ match: '*' },
			],
			...config,
		};
		const file = join(this.directory, 'ringcast.json');
		writeFileSync(file, JSON.stringify(this.config));
		this.child = spawn('setpriv', ['--pdeathsig', 'KILL', join(programs, 'ringcastd'), '--config', file],
			{ stdio: ['ignore', 'ignore', 'pipe'] });
		this.child.stderr.setEncoding('utf8').on('data', (text) => (this.log += text));
		this.exit = new Promise((resolve) => {
			this.child.on('error', (error) => resolve({ code: null, signal: String(error) }));
			this.child.on('exit', (code, signal) => {
				this.ended = { code, signal };
				resolve(this.ended);
			});
		});
		running.add(this);
	}

	static async boot(config) {
		const server = new Server(config);
		await until(() => server.ended !== null || /\bready serving=/.test(server.log), 'the server is ready');
		if (server.ended !== null)
			throw new Failure(`the server did not start: ${server.log}`);
		server.port = Number(/listening address=\S*:(\d+)/.exec(server.log)[1]);
		server.url = `http://127.0.0.1:${server.port}${server.config.path_prefix ?? ''}`;
		await until(() => server.workers().length === server.config.workers, 'the workers run');
		await until(async () => (await fetch(`${server.url}/readyz`)).ok, 'the server answers');
		return server;
	}

	// The address of /events: a list of pairs or an object.
	events(parameters) {
		return `${this.url}/events?${new URLSearchParams(parameters)}`;
	}

	/* The publish socket. */

	private(method, path, { type, body, headers = {} } = {}) {
		return ask({ socketPath: this.socket, method, path, headers: { ...(type && { 'Content-Type': type }), ...headers } }, body);
	}

	// An envelope, or an array of them: {id} or {ids}.
	async publish(envelope) {
		const answer = await this.private('POST', '/publish', { type: 'application/json', body: JSON.stringify(envelope) });
		if (answer.status !== 200)
			throw new Failure(`publish: ${answer.status} ${answer.text}`);
		return answer.json;
	}

	/* Processes. */

	workers() {
		return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(name) === this.child.pid).map(Number);
	}

	// SIGKILL to a worker of ours, or to all of them; resolves when others have taken their places.
	async killWorkers(count = Infinity) {
		const before = this.workers();
		const victims = before.slice(0, count);
		for (const pid of victims)
			process.kill(pid, 'SIGKILL');
		await until(() => {
			const now = this.workers();
			return now.length === before.length && victims.every((pid) => !now.includes(pid));
		}, 'killed workers are replaced');
	}

	// Ends the server; an error tells what it left or complained of.
	async stop({ expected = /^$/ } = {}) {
		const workers = this.workers();
		this.child.kill('SIGTERM');
		let timer;
		const late = new Promise((resolve) => (timer = setTimeout(resolve, 15000, null)));
		const end = await Promise.race([this.exit, late]);
		clearTimeout(timer);
		const faults = this.log.split('\n').filter((line) => /^<[0-3]>|Sanitizer|runtime error:/.test(line) && !expected.test(line));
		const left = workers.filter((pid) => parentOf(pid) === this.child.pid);
		this.destroy();
		if (end === null || end.code !== 0 || faults.length !== 0 || left.length !== 0)
			throw new Failure(`the server ended with ${JSON.stringify(end)}, left ${left.length} children\n${this.log.slice(-3000)}`);
	}

	destroy() {
		if (!running.delete(this))
			return;
		if (this.ended === null)
			this.child.kill('SIGKILL');
		rmSync(this.directory, { recursive: true, force: true });
	}
}
