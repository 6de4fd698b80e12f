// Restate's JavaScript SDK: a handler of durable steps, and a task of 100 ms.
const restate = require("@restatedev/restate-sdk");

const bench = restate.service({
  name: "bench",
  handlers: {
    steps: async (context, { count }) => {
      for (let i = 0; i < count; i++) await context.run(`step ${i}`, () => i);
      return count;
    },
    slow: async (context) => {
      await context.run("slow", () => new Promise((done) => setTimeout(done, 100)));
    },
  },
});

restate.endpoint().bind(bench).listen(Number(process.argv[2]));
