// Restate's JavaScript SDK: a handler of durable steps, and a task of 100 ms.
// The SDK uses it; Node.js has it since version 22.
Promise.withResolvers ??= function () {
  const made = {};
  made.promise = new this((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};

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
