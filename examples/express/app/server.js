// A price list: what a browser asks for and which instance answered.
const express = require("express");

const prices = { apple: 3, pear: 4 };
const app = express();

app.get("/healthz", (request, response) => response.send("ok"));
app.get("/prices/:fruit", (request, response) => {
  const price = prices[request.params.fruit];
  if (price === undefined) return response.status(404).json({ error: "no such fruit" });
  response.json({ fruit: request.params.fruit, price, instance: process.env.VITRIFY_INSTANCE });
});

app.listen(Number(process.env.PORT), process.env.ADDRESS || "127.0.0.1");
