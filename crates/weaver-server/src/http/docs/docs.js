// Shows the server's own OpenAPI document. Nothing is asked of another host, and text of
// the document is only ever set as text.

const METHODS = ["get", "post", "put", "patch", "delete"];
/** Schemas inside schemas are shown so deep; what is deeper is named. */
const DEPTH_MAX = 4;

const place = (id) => document.getElementById(id);

/** An element with attributes and children; text is text. */
function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

class Page {
  constructor(spec) {
    this.spec = spec;
    this.operations = [];
  }

  show() {
    place("about").textContent = this.spec.info.description;
    const areas = new Map();
    for (const [path, item] of Object.entries(this.spec.paths)) {
      for (const method of METHODS.filter((method) => item[method])) {
        const area = item[method].tags?.[0] ?? "other";
        if (!areas.has(area)) areas.set(area, []);
        areas.get(area).push(this.operation(method, path, item[method]));
      }
    }
    const main = place("operations");
    main.replaceChildren();
    const links = make("ul", {});
    for (const [area, operations] of areas) {
      links.append(make("li", {}, make("a", { href: `#${area}` }, area)));
      main.append(make("section", {}, make("h2", { id: area }, area), ...operations));
    }
    place("areas").replaceChildren(links);
    place("search").addEventListener("input", (event) => this.filter(event.target.value));
    this.filter("");
    this.openLinked();
    addEventListener("hashchange", () => this.openLinked());
  }

  operation(method, path, operation) {
    const summary = make(
      "summary",
      {},
      make("span", { class: "method" }, method.toUpperCase()),
      make("code", {}, this.spec.servers[0].url + path),
      make("span", { class: "about" }, [operation.summary, operation.description].filter(Boolean).join(" ")),
    );
    const details = make("details", { id: operation.operationId }, summary);
    // Made when it is opened: there are many, and few are read.
    details.addEventListener("toggle", () => details.open && !details.lastChild.matches("div") && details.append(this.body(operation)));
    this.operations.push({ element: details, text: `${method} ${path} ${summary.textContent}`.toLowerCase() });
    return details;
  }

  body(operation) {
    const body = make("div", {});
    if (operation.parameters?.length) {
      const fields = operation.parameters.map((parameter) =>
        this.field(parameter.name, parameter.schema, parameter.required, `${parameter.in}. ${parameter.description ?? ""}`, 0),
      );
      body.append(make("h3", {}, "Parameters"), make("ul", { class: "fields" }, ...fields));
    }
    for (const [type, content] of Object.entries(operation.requestBody?.content ?? {})) {
      body.append(make("h3", {}, "Body ", make("span", { class: "type" }, type)), this.schema(content.schema, 0));
    }
    for (const [status, response] of Object.entries(operation.responses)) {
      body.append(make("h3", {}, status === "default" ? "Refused" : status), make("p", { class: "quiet" }, response.description));
      for (const [type, content] of Object.entries(response.content ?? {})) {
        body.append(make("span", { class: "type" }, type), content.schema ? this.schema(content.schema, 0) : "");
      }
    }
    return body;
  }

  /** The fields of an object, else the type in a line. */
  schema(given, depth) {
    const schema = this.followed(given);
    const inner = schema.items ? this.followed(schema.items) : schema;
    const list = make("ul", { class: "fields" });
    for (const part of inner.allOf ?? [inner]) {
      const whole = this.followed(part);
      for (const [name, field] of Object.entries(whole.properties ?? {})) {
        list.append(this.field(name, field, whole.required?.includes(name), this.followed(field).description, depth));
      }
    }
    return list.children.length ? list : make("p", {}, make("code", { class: "type" }, this.type(given)));
  }

  field(name, schema, required, description, depth) {
    const about = make(
      "div",
      {},
      make("code", {}, name),
      " ",
      make("span", { class: "type" }, this.type(schema) + (required ? ", required" : "")),
      description ? ` — ${description}` : "",
    );
    const inner = this.fieldsOf(schema);
    const more = inner && depth < DEPTH_MAX ? this.schema(inner, depth + 1) : null;
    return make("li", {}, about, more);
  }

  /** What a field has fields of its own in. */
  fieldsOf(given) {
    const schema = this.followed(given);
    const inner = schema.items ? this.followed(schema.items) : schema;
    const objects = (inner.oneOf ?? inner.anyOf ?? [inner]).map((one) => this.followed(one)).filter((one) => one.properties || one.allOf);
    return objects.length === 1 ? objects[0] : null;
  }

  type(given) {
    const named = given?.$ref?.split("/").pop();
    const schema = this.followed(given);
    if (schema.enum) return schema.enum.join(" | ");
    if (named) return named;
    if (schema.oneOf ?? schema.anyOf) return (schema.oneOf ?? schema.anyOf).map((one) => this.type(one)).join(" | ");
    const types = [schema.type ?? "any"].flat().join(" | ");
    return schema.items ? `list of ${this.type(schema.items)}` : types;
  }

  followed(schema) {
    return schema?.$ref ? this.spec.components.schemas[schema.$ref.split("/").pop()] : (schema ?? {});
  }

  filter(text) {
    const words = text.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const { element, text: all } of this.operations) {
      element.hidden = !words.every((word) => all.includes(word));
      shown += element.hidden ? 0 : 1;
    }
    for (const section of place("operations").children) {
      section.hidden = !section.querySelector("details:not([hidden])");
    }
    place("count").textContent = `${shown} of ${this.operations.length} operations`;
  }

  openLinked() {
    const linked = place(decodeURIComponent(location.hash.slice(1)));
    if (linked?.matches("details")) linked.open = true;
  }
}

try {
  const answer = await fetch("/api/v1/openapi.json");
  new Page(await answer.json()).show();
} catch (error) {
  place("operations").replaceChildren(make("p", { role: "alert" }, `The document cannot be shown: ${error}`));
}
