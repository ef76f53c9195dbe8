// The web shop in Node: node producer.mjs BROKER ORDER...
//
// An order is a record on the topic <namespace>.events: the key is the session, the value is JSON. It knows no rules.
import { Kafka, Partitioners, logLevel } from "kafkajs";

const [broker, ...orders] = process.argv.slice(2);
const kafka = new Kafka({ clientId: "shop", brokers: [broker], logLevel: logLevel.ERROR });
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });

const placed = (order) => ({ amount: 30, items: ["tea", "cup"], email: `${order}@example.com` });

await producer.connect();
await producer.send({
  topic: `${process.env.TRIGGERS_NAMESPACE ?? "triggers"}.events`,
  messages: orders.map((order) => ({
    key: order,
    value: JSON.stringify({ trigger: "orderPlaced", kwargs: placed(order) }),
  })),
});
await producer.disconnect();
console.log(`placed ${orders.join(", ")}; look at the first with: triggers show ${orders[0]}`);
