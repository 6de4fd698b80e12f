use crate::harness::*;

#[tokio::test]
async fn state_goes_in_and_an_update_comes_out() {
    let source =
        "def node(state):\n    return {'n': state['n'] + 1, 'seen': [*state['seen'], 'x']}\n";
    let ran = run(source, "node", &[r#"{"n":1,"seen":["a",null,2.5,true]}"#]).await;
    assert_eq!(ran.json(), r#"{"n":2,"seen":["a",null,2.5,true,"x"]}"#);
}

#[tokio::test]
async fn async_functions_are_awaited() {
    let source = "import asyncio\nasync def one(x):\n    return x\nasync def node(state):\n    return await asyncio.gather(one(1), one(2))\n";
    assert_eq!(run(source, "node", &["{}"]).await.json(), "[1,2]");
}

#[tokio::test]
async fn values_of_all_kinds_survive_the_way_through() {
    let source = "def same(x):\n    return x\n";
    for text in [
        r#"{"$type":"int","value":"123456789012345678901234567890"}"#,
        r#"{"$type":"bytes","base64":"AP8="}"#,
        r#"{"$type":"set","items":[1,2,10,"a"]}"#,
        r#"{"$type":"dict","items":[[1,"a"],[[1,2],"b"]]}"#,
        r#"{"$type":"date","value":"2024-02-29"}"#,
        r#"{"$type":"datetime","value":"2024-02-29T12:30:00.000500+02:00"}"#,
        r#"{"$type":"time","value":"23:59:59"}"#,
        r#"{"$type":"timedelta","value":"-P1DT3.500000S"}"#,
        r#"{"$type":"float","value":"nan"}"#,
        r#"{"$type":"unknown","x":1}"#,
        r#"["é\u0000\ud83d\ude00",-9223372036854775808]"#,
    ] {
        let expected = value(text).to_json();
        assert_eq!(run(source, "same", &[text]).await.json(), expected);
    }
}

#[tokio::test]
async fn tracebacks_point_into_the_users_file() {
    let source =
        "\n\ndef inner(x):\n    return 1 / x\n\n\ndef node(state):\n    return inner(state['x'])\n";
    let failure = run(source, "node", &[r#"{"x":0}"#]).await.raised();
    assert_eq!(failure.exception.as_deref(), Some("ZeroDivisionError"));
    assert_eq!(failure.bases, ["ArithmeticError"]);
    assert_eq!(failure.message, "division by zero");
    let places: Vec<_> =
        failure.traceback.iter().map(|f| (&*f.file, &*f.function, f.line, f.column)).collect();
    assert_eq!(places, [("graph.py", "node", 8, Some(12)), ("graph.py", "inner", 4, Some(12))]);
}

#[tokio::test]
async fn what_is_no_data_cannot_leave_and_is_named() {
    let source = "def node():\n    return {'a': [1, lambda: 2]}\n";
    let failure = run(source, "node", &[]).await.raised();
    assert_eq!(failure.code, "not_data");
    assert!(failure.message.contains(r#"at ["a"][1]"#), "{}", failure.message);
    let source = "def node():\n    a = []\n    a.append(a)\n    return a\n";
    assert!(run(source, "node", &[]).await.raised().message.contains("contains itself"));
}

#[tokio::test]
async fn prints_come_before_the_end() {
    let ran = run("def f():\n    print('a', 1)\n    print('b', end='')\n", "f", &[]).await;
    assert_eq!(ran.printed, "a 1\nb");
}

#[tokio::test]
async fn clock_randomness_sleep_and_environment_are_the_hosts() {
    let source = "import os, random, time, asyncio\nfrom datetime import datetime, date\n\
        async def f():\n    time.sleep(1.5)\n    await asyncio.sleep(2)\n    \
        return [time.time(), str(datetime.now()), str(date.today()), random.randint(1, 10**9), os.getenv('HOME'), os.getenv('NO', 'd')]\n";
    let host = || {
        Host::default()
            .on("clock", |_| Ok(value("1700000000.5")))
            .on("random_seed", |_| Ok(value("42")))
            .on("sleep", |_| Ok(value("null")))
            .on("getenv", |call| {
                Ok(if call.kwargs["name"] == value("\"HOME\"") {
                    value("\"/h\"")
                } else {
                    value("null")
                })
            })
    };
    let first = host().run(session(source).call(request("f", &[]))).await;
    let sleeps: Vec<_> = first
        .calls
        .iter()
        .filter(|c| c.name == "sleep")
        .map(|c| c.kwargs["seconds"].to_json())
        .collect();
    assert_eq!(sleeps, ["1.5", "2.0"]);
    let text = first.json();
    assert!(
        text.starts_with(r#"[1700000000.5,"2023-11-14 22:13:20.500000","2023-11-14","#),
        "{text}"
    );
    assert!(text.ends_with(r#","/h","d"]"#), "{text}");
    let again = host().run(session(source).call(request("f", &[]))).await.json();
    assert_eq!(text, again, "the same seed gives the same numbers");
}

#[tokio::test]
async fn a_module_that_cannot_be_made_says_why() {
    let failure = run("x = 1\nraise ValueError('no')\n", "f", &[]).await.raised();
    assert_eq!((failure.message.as_str(), failure.traceback[0].line), ("no", 2));
    let failure = run("def f(:\n    pass\n", "f", &[]).await.raised();
    assert_eq!(failure.exception.as_deref(), Some("SyntaxError"));
}

#[tokio::test]
async fn lambdas_run_by_their_id() {
    let mut program = program("K = 2\n");
    program.lambdas = vec![("lambda@7:3".into(), "lambda state: state['n'] * K".into())];
    let ran =
        Host::default().run(session_of(program).call(request("lambda@7:3", &[r#"{"n":4}"#]))).await;
    assert_eq!(ran.json(), "8");
}

const CUSTOM: &str = "class Base(Exception):\n    pass\n\nclass RateLimit(Base):\n    def __init__(self, wait):\n        super().__init__(f'wait {wait}')\n        self.wait = wait\n\nclass Bad(ValueError):\n    \"\"\"Bad.\"\"\"\n\n\
    def f():\n    out = []\n    for make in [lambda: RateLimit(3), lambda: Bad('b'), lambda: KeyError('k')]:\n        try:\n            try:\n                raise make()\n            except RateLimit as e:\n                out.append(['rate', e.wait, str(e), isinstance(e, RateLimit)])\n                raise\n            except (KeyError, Bad) as e:\n                out.append([type(e).__name__, f'{e}'])\n        except Base as e:\n            out.append(['base', e.wait])\n        except ValueError as e:\n            out.append('wrong')\n    return out\n\
    def g():\n    try:\n        raise Bad('x')\n    except ValueError as e:\n        return str(e)\n\
    def h():\n    raise RateLimit(9)\n\
    def i():\n    raise Bad\n";

#[tokio::test]
async fn custom_exceptions_are_raised_caught_and_reported() {
    let session = session(CUSTOM);
    assert_eq!(
        Host::default().run(session.call(request("f", &[]))).await.json(),
        r#"[["rate",3,"wait 3",true],["base",3],["Bad","b"],["KeyError","'k'"]]"#
    );
    assert_eq!(Host::default().run(session.call(request("g", &[]))).await.json(), "\"x\"");
    let failure = Host::default().run(session.call(request("h", &[]))).await.raised();
    assert_eq!(failure.exception.as_deref(), Some("RateLimit"));
    assert_eq!((failure.bases, failure.message.as_str()), (vec!["Base".to_owned()], "wait 9"));
    let failure = Host::default().run(session.call(request("i", &[]))).await.raised();
    assert_eq!(failure.exception.as_deref(), Some("Bad"));
    assert_eq!(failure.bases, ["ValueError"]);
}

#[tokio::test]
async fn exceptions_of_the_host_keep_their_class() {
    let source = "import time\nfrom openai import RateLimitError\ndef f():\n    try:\n        time.sleep(1)\n    except RateLimitError as e:\n        return 'caught ' + str(e)\ndef g():\n    time.sleep(1)\n";
    let session = session(source);
    let mut host = Host::default().on("sleep", |_| {
        Err(weaver_interpreter::HostException::new("RateLimitError", "slow down"))
    });
    assert_eq!(host.run(session.call(request("f", &[]))).await.json(), "\"caught slow down\"");
    let failure = host.run(session.call(request("g", &[]))).await.raised();
    assert_eq!(failure.exception.as_deref(), Some("RateLimitError"));
    assert_eq!(failure.message, "slow down");
}

#[tokio::test]
async fn del_enums_and_inheritance() {
    let source = "from enum import Enum\nclass Color(str, Enum):\n    RED = 'red'\n    BLUE = 'blue'\nclass A:\n    def hi(self):\n        return 'hi ' + self.name()\nclass B(A):\n    def name(self):\n        return 'b'\n\
        def f():\n    d = {'a': 1, 'b': 2}\n    del d['a']\n    x = [1, 2, 3]\n    del x[0]\n    return [d, x, Color.RED, Color.BLUE.value, Color.RED == 'red', B().hi()]\n";
    assert_eq!(eval(source).await, r#"[{"b":2},[2,3],"red","blue",true,"hi b"]"#);
}

#[tokio::test]
async fn exceptions_inherit_methods_and_pass_on_to_their_base() {
    let source = "class AppError(Exception):\n    def __init__(self, text, code=1):\n        super().__init__(text)\n        self.code = code\n    def describe(self):\n        return f'{self.__class__.__name__} {self.code}'\n\
        class Lost(AppError):\n    def __init__(self, what):\n        super().__init__(what + ' is lost', code=4)\n    def __str__(self):\n        return super().__str__() + '!'\n\
        class Gone(Lost):\n    pass\n\
        def f():\n    try:\n        raise Gone('tea')\n    except AppError as e:\n        return [str(e), e.code, e.describe(), e.args]\n";
    let wanted = r#"["tea is lost!",4,"Gone 4",["tea is lost"]]"#;
    assert_eq!(eval(source).await, wanted);
}

#[tokio::test]
async fn members_of_enums_are_what_their_class_is_mixed_with() {
    let source = "from enum import Enum, StrEnum, auto\nclass Color(str, Enum):\n    RED = 'red'\nclass Size(StrEnum):\n    BIG = auto()\nclass Plain(Enum):\n    A = 'a'\n\
        def f():\n    kinds = [isinstance(m, (int, str)) for m in (Color.RED, Size.BIG, Plain.A)]\n    return [kinds, isinstance(Color.RED, Color), isinstance(Color.RED, Plain), str(Color.RED), str(Size.BIG), 'x' + Color.RED, 're' in Color.RED]\n";
    let wanted = r#"[[true,true,false],true,false,"Color.RED","big","xred",true]"#;
    assert_eq!(eval(source).await, wanted);
}

#[tokio::test]
async fn names_the_interpreter_lacks_come_from_the_faces() {
    let source = "from typing import TypedDict, Optional, cast\nfrom functools import wraps, partial\nfrom dataclasses import dataclass, asdict, field\n\
        @dataclass\nclass P:\n    x: int\n    y: list = field(default_factory=list)\n\
        def deco(fn):\n    @wraps(fn)\n    def inner(*a):\n        return fn(*a)\n    return inner\n\
        @deco\ndef g(a: Optional[int]) -> int:\n    return a\n\
        def f():\n    from langchain_core.messages import HumanMessage\n    return [g(1), partial(g, 2)(), asdict(P(1, [2])), P(3), cast(int, 4), HumanMessage('x').content]\n";
    assert_eq!(
        eval(source).await,
        r#"[1,2,{"x":1,"y":[2]},{"$type":"object","class":"P","fields":{"x":3,"y":[]}},4,"x"]"#
    );
}

const BUILTIN: &str = "class Lost(ConnectionResetError):\n    pass\n\n\
    def f():\n    out = []\n    for make in [lambda: ConnectionRefusedError('no'), lambda: Lost('l'), lambda: BrokenPipeError, lambda: EOFError('e'), lambda: UserWarning('w'), lambda: InterruptedError(), lambda: StopAsyncIteration(), lambda: UnicodeError('u'), lambda: IOError('io')]:\n        try:\n            raise make()\n        except ConnectionError as e:\n            out.append(['connection', type(e).__name__, str(e), isinstance(e, OSError), isinstance(e, ConnectionResetError), isinstance(e, (ValueError, EOFError))])\n        except Warning as e:\n            out.append(['warning', isinstance(e, UserWarning), isinstance(e, DeprecationWarning), isinstance(e, Exception)])\n        except (EOFError, StopAsyncIteration) as e:\n            out.append(repr(e))\n        except OSError as e:\n            out.append(['os', type(e).__name__])\n        except ValueError as e:\n            out.append(['value', isinstance(e, UnicodeError)])\n    return out\n\
    def decode():\n    try:\n        b'\\xff'.decode()\n    except UnicodeError as e:\n        return [isinstance(e, UnicodeError), issubclass(ConnectionError, OSError), issubclass(Lost, ConnectionError), issubclass(KeyError, LookupError), issubclass(OSError, ConnectionError)]\n\
    def reset():\n    raise ConnectionResetError('gone')\n\
    def lost():\n    raise Lost('gone')\n";

#[tokio::test]
async fn exceptions_that_the_interpreter_lacks_have_their_place_in_the_hierarchy() {
    let session = session(BUILTIN);
    assert_eq!(
        Host::default().run(session.call(request("f", &[]))).await.json(),
        r#"[["connection","ConnectionRefusedError","no",true,false,false],["connection","Lost","l",true,true,false],["connection","BrokenPipeError","",true,false,false],"EOFError('e')",["warning",true,false,true],["os","InterruptedError"],"StopAsyncIteration()",["value",true],["os","OSError"]]"#
    );
    assert_eq!(
        Host::default().run(session.call(request("decode", &[]))).await.json(),
        "[true,true,true,true,false]"
    );
    let failure = Host::default().run(session.call(request("reset", &[]))).await.raised();
    assert_eq!(failure.exception.as_deref(), Some("ConnectionResetError"));
    assert_eq!(failure.bases, ["ConnectionError", "OSError"]);
    let failure = Host::default().run(session.call(request("lost", &[]))).await.raised();
    assert_eq!(failure.exception.as_deref(), Some("Lost"));
    assert_eq!(failure.bases, ["ConnectionResetError", "ConnectionError", "OSError"]);
}

#[tokio::test]
async fn failures_come_back_as_exceptions() {
    let source = "import time\nclass Mine(ValueError):\n    def __init__(self, n):\n        self.n = n\n        super().__init__(f'n={n}')\n\
        def fail():\n    raise Mine(4)\n\
        def handler(state, error):\n    e = error.error\n    return [error.node, isinstance(e, ConnectionError), isinstance(e, OSError), isinstance(e, KeyError), str(e)]\n\
        def again(e):\n    return isinstance(e, Mine) and isinstance(e, ValueError) and e.n == 4\n\
        def ask():\n    try:\n        time.sleep(1)\n    except OSError as e:\n        return isinstance(e, ConnectionError)\n";
    let session = session(source);
    let error = r#"{"$type":"node_error","node":"n","error":{"$type":"exception","class":"ConnectionResetError","message":"gone","bases":["ConnectionError","OSError"]}}"#;
    let handled = Host::default().run(session.call(request("handler", &["{}", error]))).await;
    assert_eq!(handled.json(), r#"["n",true,true,false,"gone"]"#);
    let failure = Host::default().run(session.call(request("fail", &[]))).await.raised();
    assert_eq!(failure.message, "n=4");
    let error = r#"{"$type":"exception","class":"Mine","message":"n=4","bases":["ValueError"]}"#;
    assert_eq!(Host::default().run(session.call(request("again", &[error]))).await.json(), "true");
    let mut host = Host::default().on("sleep", |_| {
        Err(weaver_interpreter::HostException::new("ConnectionAbortedError", "slow down"))
    });
    assert_eq!(host.run(session.call(request("ask", &[]))).await.json(), "true");
}
