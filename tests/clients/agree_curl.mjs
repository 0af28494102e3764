// agree_curl.mjs: curl exchanges the two hundred payloads: polls, long polls, SSE; what it publishes on the Unix socket and as a
// client. What it is told goes into files: nothing is quoted by a shell. npm's eventsource-parser reads the streams.

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createParser } from 'eventsource-parser';
import { END, address, bodies, envelope, eventTexts, judge, judgePublished, read } from './exchange.mjs';
import { lines } from './payloads.mjs';
import { channelNames, publishPayloads, report } from './rounds.mjs';
import { Server } from './server.mjs';
import { Failure, Tap, equal, until } from './tap.mjs';

const tap = new Tap({ script_ms: 280000 });
const server = await Server.boot({ ring_bytes: '256MiB', compression: { poll: true } });
const payloads = read(lines());
const nameChannel = channelNames();
const reader = { name: 'curl', fetch };

function start(...args) {
	const child = spawn('curl', ['-sS', '--max-time', '30', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
	const run = { child, chunks: [], errors: '', get out() { return Buffer.concat(this.chunks).toString(); } };
	child.stdout.on('data', (chunk) => run.chunks.push(chunk));
	child.stderr.on('data', (chunk) => (run.errors += chunk));
	run.done = new Promise((resolve, reject) => {
		child.on('error', reject);
		child.on('close', (code) => (code === 0 ? resolve(run.out) : reject(new Failure(`curl ended with ${code}: ${run.errors}`))));
	});
	run.done.catch(() => {});
	return run;
}

const curl = (...args) => start(...args).done;

/* ---- server -> client ------------------------------------------------------------------------------ */

const expected = (channel, ids) => payloads.map((payload, i) => ({ payload, id: ids[i], channel }));
const endOfObject = (text) => text.endsWith(`"type":"${END}","data":"${END}"}`);

// Polls until END: the texts of the events before it.
async function pollToEnd(parameters, ...args) {
	const texts = [];
	let { after } = parameters;
	while (!texts.some(endOfObject)) {
		const body = await curl(...args, address(server.url, { ...parameters, after }));
		texts.push(...eventTexts(body));
		after = JSON.parse(body).next;
	}
	equal(texts.findIndex(endOfObject), texts.length - 1, 'place of the end');
	return texts.slice(0, -1).map((text) => ({ text }));
}

function readStream(text, wanted) {
	const items = [];
	let ended = false;
	createParser({
		onEvent({ event, data, id }) {
			ended ||= event === END || (wanted === 'streamed' && endOfObject(data));
			if (!ended && event === undefined)
				items.push({ text: data, id });
		},
	}).feed(text);
	return { items, ended };
}

async function stream(parameters) {
	const run = start('-N', '-H', 'Accept: text/event-stream', address(server.url, parameters));
	await until(() => run.chunks.length > 0 && run.out.includes('ringcast.welcome'), 'welcome');
	return {
		async read(wanted) {
			await until(() => run.chunks.at(-1).includes(END) || run.out.includes(END), 'the end of the payloads', 30000);
			await until(() => readStream(run.out, wanted).ended, 'the end of the payloads');
			run.child.kill();
			return readStream(run.out, wanted).items;
		},
	};
}

const channel = nameChannel();
const { next } = JSON.parse(await curl(address(server.url, { channel })));
const waiting = pollToEnd({ channel, after: next, wait: 20 });
waiting.catch(() => {});
const sse = await stream({ channel });
const json = await stream({ channel, format: 'json' });
const ids = await publishPayloads(server, channel, payloads);

async function exchange(name, form, receive) {
	try {
		report(tap, judge(name, form, await receive(), expected(channel, ids)));
	} catch (error) {
		report(tap, { name, agreed: 0, of: payloads.length, first: error.message });
	}
}
await exchange('curl_longpoll_live', 'object', () => waiting);
await exchange('curl_sse_live', 'sse', () => sse.read('sse'));
await exchange('curl_sse_json_live', 'streamed', () => json.read('streamed'));
await exchange('curl_poll_replayed', 'object', () => pollToEnd({ channel, after: 0, limit: 50 }));
await exchange('curl_poll_compressed_replayed', 'object', () => pollToEnd({ channel, after: 0 }, '--compressed'));
await tap.test('curl_is_answered_compressed_where_it_asks', async () => {
	const encodings = async (...args) => /^content-encoding: .*$/im.exec(await curl('-D', '-', '-o', '/dev/null', ...args, address(server.url, { channel, after: 0 })))?.[0] ?? '';
	equal([await encodings(), (await encodings('--compressed')).toLowerCase()], ['', 'content-encoding: gzip'], 'encodings');
});
await exchange('curl_longpoll_replayed', 'object', () => pollToEnd({ channel, after: 0, wait: 20 }));
await exchange('curl_sse_replayed', 'sse', async () => (await stream({ channel, after: 0 })).read('sse'));
await exchange('curl_sse_json_replayed', 'streamed', async () => (await stream({ channel, after: 0, format: 'json' })).read('streamed'));

/* ---- client -> server ------------------------------------------------------------------------------ */

// Many requests of one curl, as its configuration file says them; the answers in order.
async function post(url, sent, ...args) {
	const quoted = (text) => `"${text.replace(/[\\"]/g, '\\$&')}"`;
	const requests = sent.map(({ type, bytes }, i) => {
		const body = join(server.directory, `body.${i}`);
		writeFileSync(body, bytes);
		return [`url = ${quoted(url)}`, `data-binary = ${quoted(`@${body}`)}`, `header = ${quoted(type ? `Content-Type: ${type}` : 'Content-Type:')}`,
			'write-out = "\\n"', ...args].join('\n');
	});
	const file = join(server.directory, 'requests');
	writeFileSync(file, requests.join('\nnext\n'));
	const out = await curl('-K', file);
	return out.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

const socket = `unix-socket = "${server.socket}"`;
const PUBLISH = 'http://localhost/publish';
const JSON_TYPE = 'application/json';

const publishers = {
	publishes_an_envelope_each: (to) => post(PUBLISH, payloads.map((payload) => ({ type: JSON_TYPE, bytes: envelope(to, payload) })), socket),
	publishes_an_array: async (to) => {
		const bytes = `[${payloads.map((payload) => envelope(to, payload)).join(',\n')}]`;
		const [{ ids: all, ...error }] = await post(PUBLISH, [{ type: JSON_TYPE, bytes }], socket);
		return all?.map((id) => ({ id })) ?? [error];
	},
	// A line each: line breaks between the tokens of a value become spaces, which changes the value's bytes, so those go by themselves.
	publishes_lines: async (to) => {
		const broken = (payload) => payload.kind === 'json' && /[\r\n]/.test(payload.text);
		const fitting = payloads.filter((payload) => !broken(payload));
		const file = join(server.directory, 'lines');
		writeFileSync(file, fitting.map((payload) => `${envelope(to, payload)}\n`).join(''));
		const out = await curl('--unix-socket', server.socket, '-T', file, '-X', 'POST', '-H', 'Content-Type: application/x-ndjson', PUBLISH);
		const answers = out.trim().split('\n').map((line) => JSON.parse(line));
		const rest = await post(PUBLISH, payloads.filter(broken).map((payload) => ({ type: JSON_TYPE, bytes: envelope(to, payload) })), socket);
		return payloads.map((payload) => (broken(payload) ? rest : answers).shift());
	},
};

async function publish(name, meant, send) {
	const to = nameChannel();
	try {
		report(tap, await judgePublished(reader, server.url, name, to, meant, await send(to)));
	} catch (error) {
		report(tap, { name, agreed: 0, of: payloads.length, first: error.message });
	}
}
for (const [name, send] of Object.entries(publishers))
	await publish(`curl_${name}`, payloads, send);
for (const [how, bodyOf] of Object.entries(bodies)) {
	const sent = payloads.map(bodyOf);
	const meant = sent.map(({ as }) => as);
	await publish(`curl_publishes_bodies_with_${how}`, meant, (to) => post(`${PUBLISH}?channel=${to}`, sent, socket));
	await publish(`curl_posts_with_${how}`, meant, (to) => post(address(server.url, { channel: to }), sent));
}

await tap.test('server_leaves_nothing', () => server.stop());
tap.end();
