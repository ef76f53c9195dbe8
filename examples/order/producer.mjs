// Fires the triggers of an order from Node: node producer.mjs BROKER SESSION
//
// A trigger is a record on the topic <namespace>.events: the key is the session, the value is JSON. kafkajs partitions
// by murmur2, as Java's client and the agents do; a client that does not may send to any partition, and agents forward.
import { Kafka, Partitioners, logLevel } from "kafkajs";

const [broker, session] = process.argv.slice(2);
const kafka = new Kafka({ clientId: "orders", brokers: [broker], logLevel: logLevel.ERROR });
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });

const trigger = (name, kwargs) => ({ key: session, value: JSON.stringify({ trigger: name, kwargs }) });

await producer.connect();
await producer.send({
  topic: `${process.env.TRIGGERS_NAMESPACE ?? "triggers"}.events`,
  messages: [trigger("orderPlaced", { total: 12 }), trigger("cardEntered", { last4: "4242" })],
});
await producer.disconnect();
console.log(`fired orderPlaced and cardEntered in ${session}`);
