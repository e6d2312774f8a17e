// A back end of a few lines: hands the page that it serves a credential for each visitor.
// Authenticate your users before /token: whoever gets a credential relays at your expense.
import {createServer} from 'node:http';
import {readFile} from 'node:fs/promises';

const {TURNPIKE_SID, TURNPIKE_TOKEN, TURNPIKE_URL = 'http://127.0.0.1:9642', PORT = '8080'} =
  process.env;
if (!TURNPIKE_SID || !TURNPIKE_TOKEN) {
  console.error('set TURNPIKE_SID and TURNPIKE_TOKEN to what `turnpike account add` printed');
  process.exit(1);
}

async function mint(user) {
  const response = await fetch(`${TURNPIKE_URL}/2010-04-01/Accounts/${TURNPIKE_SID}/Tokens.json`, {
    method: 'POST',
    headers: {
      Authorization: 'Basic ' + Buffer.from(`${TURNPIKE_SID}:${TURNPIKE_TOKEN}`).toString('base64'),
    },
    body: new URLSearchParams({Ttl: '3600', Label: user}),
  });
  const body = await response.json();
  if (!response.ok) throw new Error(body.message);
  return body.ice_servers;
}

const files = {'/': ['page.html', 'text/html'], '/page.js': ['page.js', 'text/javascript']};

createServer(async (request, response) => {
  try {
    if (request.url === '/token') {
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify({iceServers: await mint('example')}));
    } else if (files[request.url]) {
      const [name, type] = files[request.url];
      const content = await readFile(new URL(name, import.meta.url));
      response.setHeader('Content-Type', type);
      response.end(content);
    } else {
      response.writeHead(404).end();
    }
  } catch (error) {
    console.error(String(error));
    response.writeHead(502).end();
  }
}).listen(Number(PORT), '127.0.0.1', () => console.log(`http://127.0.0.1:${PORT}`));
