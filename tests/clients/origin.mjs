// origin.mjs: which pages may talk to the server: origins on every method and transport, and the CORS preflight.

import { Socket } from './clients.mjs';
import { Server, ask } from './server.mjs';
import { Tap, check, equal } from './tap.mjs';

const LISTED = 'https://app.example';

const tap = new Tap();
const server = await Server.boot({ origins: [LISTED] });
const anyone = await Server.boot({ workers: 1, origins: ['*'] });

function send(to, headers, { method = 'GET', path = '/events?channel=demo.x', body } = {}) {
	return ask({ port: to.port, host: '127.0.0.1', path, method, headers }, body);
}

const UPGRADE = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' };

for (const [what, headers, allowed] of [
	['no origin', {}, true],
	['a listed origin', { Origin: LISTED }, true],
	['the same host and port', { Origin: 'http://push.example:81', Host: 'push.example:81' }, true],
	['the same host with a default port', { Origin: 'http://push.example', Host: 'push.example:80' }, true],
	['what the browser calls the same origin', { Origin: 'https://push.example', Host: 'inner', 'Sec-Fetch-Site': 'same-origin' }, true],
	['two loopback names', { Origin: 'http://localhost:3000', Host: '127.0.0.1:8080' }, true],
	['two loopback addresses', { Origin: 'http://127.0.0.1:3000', Host: '[::1]:8080' }, true],
	['a foreign origin', { Origin: 'https://evil.example' }, false],
	['null', { Origin: 'null' }, false],
	['a suffix of a listed origin', { Origin: 'https://evil-app.example' }, false],
	['a listed origin with a suffix', { Origin: 'https://app.example.evil.example' }, false],
	['a listed origin by another scheme', { Origin: 'http://app.example' }, false],
	['a listed origin at another port', { Origin: 'https://app.example:444' }, false],
	['a loopback page asking a public name', { Origin: 'http://localhost:3000', Host: 'push.example' }, false],
	['a public page asking a loopback name', { Origin: 'https://push.example', Host: 'localhost:8080' }, false],
	['a name that only looks like loopback', { Origin: 'http://localhost.evil.example', Host: 'localhost:8080' }, false],
	['another port of the same host', { Origin: 'http://push.example:82', Host: 'push.example:81' }, false],
	['no origin in the field', { Origin: 'nonsense' }, false],
])
	await tap.test(`origin_${allowed ? 'allows' : 'refuses'}_${what.replaceAll(' ', '_')}`, async () => {
		const asked = [
			['GET', await send(server, headers)],
			['POST', await send(server, { 'Content-Type': 'text/plain', ...headers }, { method: 'POST', body: 'x' })],
			['OPTIONS', await send(server, { 'Access-Control-Request-Method': 'POST', ...headers }, { method: 'OPTIONS' })],
			['WebSocket', await send(server, { ...UPGRADE, ...headers })],
		];
		for (const [method, answer] of asked) {
			const good = { GET: 200, POST: 200, OPTIONS: 204, WebSocket: 101 }[method];
			equal(answer.status, allowed ? good : 403, `${method}: status`);
			if (method === 'WebSocket')
				continue;
			const allow = answer.headers['access-control-allow-origin'];
			if (!allowed) {
				const { code, message } = answer.json.error;
				equal(code, 'origin_forbidden', `${method}: code`);
				check(message.includes(headers.Origin) && message.includes('`origins`'), `${method}: the message names origin and key: ${message}`);
				equal(allow, undefined, `${method}: never mirrored`);
			} else if (headers.Origin) {
				equal(allow, headers.Origin, `${method}: allow`);
			}
			check(/\borigin\b/i.test(answer.headers.vary ?? ''), `${method}: Vary ${answer.headers.vary}`);
		}
	});

await tap.test('origin_preflight_names_what_may_be_sent', async () => {
	const { status, headers } = await send(server, { Origin: LISTED, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type,idempotency-key' }, { method: 'OPTIONS' });
	equal(status, 204, 'status');
	equal(headers['access-control-allow-origin'], LISTED, 'origin');
	equal(headers['access-control-allow-credentials'], 'true', 'credentials');
	equal(headers['access-control-max-age'], '86400', 'age');
	const list = (name) => headers[name].toLowerCase().split(/, */).sort();
	equal(list('access-control-allow-headers'), ['authorization', 'content-type', 'idempotency-key', 'last-event-id'], 'headers');
	check(['get', 'post'].every((method) => list('access-control-allow-methods').includes(method)), 'methods');
});

await tap.test('origin_any_is_a_star_without_credentials', async () => {
	for (const method of ['GET', 'OPTIONS']) {
		const { headers } = await send(anyone, { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'GET' }, { method });
		equal([headers['access-control-allow-origin'], headers['access-control-allow-credentials']], ['*', undefined], method);
	}
});

await tap.test('origin_refusals_carry_cors_where_the_origin_is_good', async () => {
	for (const path of ['/events', '/events?channel=secret.x', '/nothing', '/events?channel=x&after=x']) {
		const answer = await send(server, { Origin: LISTED, Accept: 'text/event-stream' }, { path });
		check(answer.status >= 400, `${path}: ${answer.status}`);
		equal(answer.headers['access-control-allow-origin'], LISTED, path);
	}
});

await tap.test('origin_is_judged_for_npm_ws', async (after) => {
	const good = new Socket(server.events({ channel: 'x' }), [], { origin: LISTED });
	after(() => good.close());
	await good.opened;
	const bad = new Socket(server.events({ channel: 'x' }), [], { origin: 'https://evil.example' });
	after(() => bad.close());
	equal(await bad.opened.then(() => '', (error) => error.message), 'Unexpected server response: 403', 'fault');
});

await tap.test('servers_leave_nothing', async () => {
	await server.stop();
	await anyone.stop();
});
tap.end();
