// Makes calls as an application would and prints what the SDK understood, as one JSON object.
import OpenAI from "openai";

const [baseURL, apiKey, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey });
const messages = [{ role: "user", content: "Count to five." }];
const tool = {
  type: "function",
  function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } },
};
const found = {};

const whole = await client.chat.completions.create({ model, messages });
found.chat = { text: whole.choices[0].message.content, usage: whole.usage, model: whole.model };

const chunks = await client.chat.completions.create({
  model, messages, stream: true, stream_options: { include_usage: true },
});
found.stream = { text: "", usage: null };
for await (const chunk of chunks) {
  found.stream.text += chunk.choices[0]?.delta?.content ?? "";
  found.stream.usage = chunk.usage ?? found.stream.usage;
}

const asked = await client.chat.completions.create({ model, messages, tools: [tool] });
found.tools = { text: asked.choices[0].message.content };

const response = await client.responses.create({ model, input: "Count to five." });
found.response = { text: response.output_text, status: response.status, usage: response.usage };

const events = client.responses.stream({ model, input: "Count to five." });
const kinds = [];
for await (const event of events) kinds.push(event.type);
const last = await events.finalResponse();
found.events = { text: last.output_text, kinds, usage: last.usage };

for (const [name, change] of [
  ["unknown", { mock_response: "free" }],
  ["missing", { model: "no/such" }],
]) {
  try {
    await client.chat.completions.create({ model, messages, ...change });
  } catch (error) {
    found[name] = { kind: error.constructor.name, status: error.status, code: error.code };
  }
}
try {
  await new OpenAI({ baseURL, apiKey: "sk-other" }).models.list();
} catch (error) {
  found.key = { kind: error.constructor.name, status: error.status, code: error.code };
}
console.log(JSON.stringify(found));
