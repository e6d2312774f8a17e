// Runs the real `twilio` package, unchanged but for its HTTP client, which sends to Turnpike what
// would go to the hosted service. Usage: node steps.mjs STEP {"base", "sid", "token", …}
import {createRequire} from 'node:module';

const twilio = createRequire(import.meta.url)('twilio');
const [step, text] = process.argv.slice(2);
const options = JSON.parse(text);

class Redirected extends twilio.RequestClient {
  request(request) {
    const uri = request.uri.replace('https://api.twilio.com', options.base);
    return super.request({...request, uri});
  }
}

const client = twilio(options.sid, options.token, {httpClient: new Redirected()});
const plain = (value) => JSON.parse(JSON.stringify(value));

const steps = {
  token: async () => plain(await client.tokens.create({ttl: 3600})),
  async usage() {
    const {records} = client.usage;
    const today = new Date();
    return plain({
      records: await records.list({startDate: today, endDate: today}),
      daily: await records.daily.list({category: 'turnmegabytes', limit: 20}),
      monthly: await records.monthly.list({category: 'turnmegabytes'}),
      thisMonth: await records.thisMonth.list(),
    });
  },
  async triggers() {
    const {triggers} = client.usage;
    const made = await triggers.create({
      callbackUrl: options.callback, triggerValue: '0.000001', usageCategory: 'turnmegabytes',
      recurring: 'monthly', friendlyName: 'a byte',
    });
    const listed = await triggers.list({recurring: 'monthly'});
    const fetched = await triggers(made.sid).fetch();
    const other = await triggers.create({
      callbackUrl: options.callback, triggerValue: '1000', usageCategory: 'turnmegabytes',
    });
    const removed = await triggers(other.sid).remove();
    return plain({made, listed, fetched, removed, left: (await triggers.list()).length});
  },
  trigger: async () => plain(await client.usage.triggers.create({
    callbackUrl: options.callback, triggerValue: '0.000001', usageCategory: 'turnmegabytes',
  })),
  async errors() {
    const failed = {};
    for (const [name, call] of Object.entries({
      ttl: () => client.tokens.create({ttl: 86401}),
      token: () => twilio(options.sid, 'wrong', {httpClient: new Redirected()}).tokens.create(),
      other: () => client.usage.triggers('UT' + '0'.repeat(32)).fetch(),
    })) {
      failed[name] = await call().then(() => null, (e) => ({status: e.status, code: e.code}));
    }
    return failed;
  },
  // What a customer's receiver does with a webhook.
  verify: async () => twilio.validateRequest(options.key, options.signature, options.url,
                                             options.parameters),
};

console.log(JSON.stringify(await steps[step]()));
