// pages.mjs: a web server of the test's own, so that pages come from another origin than ringcast.

import { readFileSync } from 'node:fs';
import http from 'node:http';
import { lines } from '../clients/payloads.mjs';

const FILES = {
	'/': ['text/html', () => '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>a page</title>'],
	'/exchange.mjs': ['text/javascript', () => readFileSync(new URL('../clients/exchange.mjs', import.meta.url))],
	'/follow.mjs': ['text/javascript', () => readFileSync(new URL('../clients/follow.mjs', import.meta.url))],
	'/payloads': ['application/x-ndjson', lines],
};

// Listens on loopback: {port, close}.
export async function serve() {
	const server = http.createServer((request, response) => {
		const [type, read] = FILES[request.url] ?? [];
		response.writeHead(type ? 200 : 404, { 'Content-Type': type ?? 'text/plain' }).end(read?.());
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	return {
		port: server.address().port,
		close() {
			server.closeAllConnections();
			server.close();
		},
	};
}
