// curl.mjs: the tour of the README: curl on each transport and on the publish socket.

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Server } from './server.mjs';
import { Tap, check, equal, until } from './tap.mjs';

const tap = new Tap();
const server = await Server.boot();

// A curl that runs: its output grows in `out`; `done` gives {code, out} as text, or raw bytes in `bytes`.
function start(...args) {
	const child = spawn('curl', ['-sS', '--max-time', '15', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
	const run = { child, bytes: Buffer.alloc(0), errors: '', get out() { return this.bytes.toString(); } };
	child.stdout.on('data', (chunk) => (run.bytes = Buffer.concat([run.bytes, chunk])));
	child.stderr.on('data', (chunk) => (run.errors += chunk));
	run.done = new Promise((resolve, reject) => {
		child.on('error', reject);
		child.on('close', (code) => resolve({ code, out: run.out, errors: run.errors }));
	});
	return run;
}

async function curl(...args) {
	const { code, out, errors } = await start(...args).done;
	equal([code, errors], [0, ''], `curl ${args.join(' ')}`);
	return out;
}

async function publish(...args) {
	return JSON.parse(await curl('--unix-socket', server.socket, ...args));
}

await tap.test('curl_publishes_an_envelope', async () => {
	const { id } = await publish('-d', '{"channel":"news","data":"hello"}', 'http://localhost/publish');
	equal(JSON.parse(await curl(server.events({ channel: 'news', after: 0 }))).events, [{ id, channel: 'news', type: 'message', data: 'hello' }], 'events');
});

await tap.test('curl_publishes_a_body', async () => {
	const { id } = await publish('-d', 'plain & simple', 'http://localhost/publish?channel=body&type=note');
	equal(JSON.parse(await curl(server.events({ channel: 'body', after: 0 }))).events, [{ id, channel: 'body', type: 'note', data: 'plain & simple' }], 'events');
});

await tap.test('curl_publishes_a_file_of_bytes', async () => {
	const file = join(server.directory, 'bytes');
	writeFileSync(file, Buffer.from([0, 255, 10, 13]));
	await publish('--data-binary', `@${file}`, '-H', 'Content-Type: image/png', 'http://localhost/publish?channel=file');
	equal(JSON.parse(await curl(server.events({ channel: 'file', after: 0 }))).events[0].data64, 'AP8KDQ==', 'data64');
});

await tap.test('curl_publishes_lines', async () => {
	const file = join(server.directory, 'lines');
	writeFileSync(file, '{"channel":"lines","data":1}\n\nnot JSON\n{"channel":"lines","data":2}\n');
	const out = await curl('--unix-socket', server.socket, '-T', file, '-X', 'POST', '-H', 'Content-Type: application/x-ndjson', 'http://localhost/publish');
	const answers = out.trim().split('\n').map((line) => JSON.parse(line));
	equal(answers.map((answer) => answer.error?.code ?? 'id'), ['id', 'bad_json', 'id'], 'answers');
	equal(answers[1].line, 3, 'line');
	equal(JSON.parse(await curl(server.events({ channel: 'lines', after: 0 }))).events.map((event) => event.id), [answers[0].id, answers[2].id], 'events');
});

await tap.test('curl_publishes_as_a_client', async () => {
	const { id } = JSON.parse(await curl('-d', 'hello', server.events({ channel: 'demo.curl' })));
	equal(JSON.parse(await curl(server.events({ channel: 'demo.curl', after: 0 }))).events, [{ id, channel: 'demo.curl', type: 'message', data: 'hello' }], 'events');
});

await tap.test('curl_waits_in_a_long_poll', async () => {
	const { next } = JSON.parse(await curl(server.events({ channel: 'wait' })));
	const waiting = start(server.events({ channel: 'wait', after: next, wait: 10 }));
	await new Promise((resolve) => setTimeout(resolve, 300));
	equal(waiting.out, '', 'nothing yet');
	const { id } = await publish('-d', '{"channel":"wait","data":{"a":1}}', 'http://localhost/publish');
	const { code, out } = await waiting.done;
	equal([code, JSON.parse(out).events], [0, [{ id, channel: 'wait', type: 'message', data: { a: 1 } }]], 'answer');
});

await tap.test('curl_streams_events', async (after) => {
	const stream = start('-N', '-H', 'Accept: text/event-stream', server.events({ channel: 'stream' }));
	after(() => stream.child.kill());
	await until(() => stream.out.includes('ringcast.welcome'), 'welcome');
	const { id } = await publish('-d', 'two\r\nlines', 'http://localhost/publish?channel=stream&type=note');
	await until(() => stream.out.endsWith(`id: ${id}\n\n`), 'the event');
	check(stream.out.endsWith(`\n\nevent: note\ndata: two\ndata: lines\nid: ${id}\n\n`), stream.out);
});

await tap.test('curl_opens_a_websocket', async (after) => {
	const socket = start('-N', '-i', '--http1.1', '-H', 'Connection: Upgrade', '-H', 'Upgrade: websocket', '-H', 'Sec-WebSocket-Version: 13',
		'-H', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', server.events({ channel: 'socket' }));
	after(() => socket.child.kill());
	await until(() => socket.out.includes('"op":"welcome"'), 'welcome');
	check(/^HTTP\/1\.1 101 /.test(socket.out), 'status');
	check(/\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/i.test(socket.out), 'accept, by the example of RFC 6455');
	const { id } = await publish('-d', '{"channel":"socket","data":"x"}', 'http://localhost/publish');
	const object = `{"id":"${id}","channel":"socket","type":"message","data":"x"}`;
	await until(() => socket.out.endsWith(object), 'the event');
	const head = socket.bytes.subarray(socket.bytes.length - object.length - 2, socket.bytes.length - object.length);
	equal([...head], [0x81, object.length], 'head of the frame');
});

await tap.test('curl_reads_statistics_and_channels', async () => {
	const stats = await curl('--unix-socket', server.socket, 'http://localhost/stats');
	check(JSON.parse(stats).workers !== undefined || stats.includes('worker'), 'stats');
	const metrics = await curl('--unix-socket', server.socket, 'http://localhost/metrics');
	check(/^# TYPE ringcast_\w+ (counter|gauge|histogram)$/m.test(metrics), 'metrics');
	const channels = await curl('--unix-socket', server.socket, 'http://localhost/channels?prefix=ne');
	check(channels.includes('"news"'), channels);
});

await tap.test('curl_is_answered_with_continue', async () => {
	const file = join(server.directory, 'large');
	writeFileSync(file, 'x'.repeat(200000));
	const { id } = await publish('--data-binary', `@${file}`, '-H', 'Expect: 100-continue', '-H', 'Content-Type: text/plain', 'http://localhost/publish?channel=large');
	equal(JSON.parse(await curl(server.events({ channel: 'large', after: '-1' }))).events[0].id, id, 'event');
});

await tap.test('server_leaves_nothing', () => server.stop());
tap.end();
