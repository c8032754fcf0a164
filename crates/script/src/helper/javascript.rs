//! JavaScript, by QuickJS.
//!
//! Each evaluation has an interpreter of its own, made ready while nobody waits: nothing can be left for the next one.
//! (Measured: 62 µs for an interpreter with everything, 56 for a context in a shared one.) Only the bytecode of sources is
//! kept: reading it takes a sixth of the time of compiling.

use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::CStr;
use std::rc::Rc;
use std::time::Duration;

use rquickjs::context::intrinsic;
use rquickjs::{Context, Ctx, Exception, Function, Object, Runtime, Value, qjs};

use super::Outcome;
use super::cache::Cache;
use crate::error::{Place, ScriptError};
use crate::frame::Asked;
use crate::platform::computed_here;
use crate::{Language, Wanted};

/// What the language itself has. Not here: modules, workers, files, anything of a host.
type Intrinsics = (
    intrinsic::Date,
    intrinsic::Eval,
    intrinsic::RegExpCompiler,
    intrinsic::RegExp,
    intrinsic::Json,
    intrinsic::Proxy,
    intrinsic::MapSet,
    intrinsic::TypedArrays,
    intrinsic::Promise,
    intrinsic::WeakRef,
);

/// How deep calls may nest, in bytes of stack.
const STACK_MAX: usize = 1024 * 1024;

/// What sources are called in places and traces.
const FILE: &CStr = c"script";

/// The lines around the body of a function; the first moves all places by one line.
const BODY_BEFORE: &str = "(function () {\n";
const BODY_AFTER: &str = "\n})();";

/// Evaluates JavaScript.
pub(super) struct JavaScript {
    memory: usize,
    ready: Option<Interpreter>,
    /// Taken down when the answer is on its way.
    used: Option<Interpreter>,
    bytecode: Cache<Rc<[u8]>>,
}

impl JavaScript {
    pub fn new(memory: usize) -> JavaScript {
        JavaScript { memory, ready: None, used: None, bytecode: Cache::new(256) }
    }

    /// Makes the next interpreter.
    pub fn prepare(&mut self) {
        self.used = None;
        if self.ready.is_none() {
            self.ready = Interpreter::new(self.memory);
        }
    }

    /// The outcome, and whether this process should go no further.
    pub fn answer(&mut self, asked: &Asked<'_>) -> (Outcome, bool) {
        self.prepare();
        let Some(interpreter) = self.ready.take() else { return (Err(out_of_memory()), true) };
        let outcome = interpreter.answer(asked, &mut self.bytecode);
        let is_spent = matches!(outcome, Err(ScriptError::Timeout { .. } | ScriptError::Memory { .. }));
        if is_spent {
            // What was interrupted anywhere cannot be taken down safely; the process ends instead.
            std::mem::forget(interpreter);
        } else {
            self.used = Some(interpreter);
        }
        (outcome, is_spent)
    }
}

struct Interpreter {
    context: Context,
    /// How much this process may have computed by then.
    deadline: Rc<Cell<Duration>>,
    is_interrupted: Rc<Cell<bool>>,
}

impl Interpreter {
    /// A new one; nothing if the memory does not suffice even for that.
    fn new(memory: usize) -> Option<Interpreter> {
        let runtime = Runtime::new().ok()?;
        runtime.set_memory_limit(memory);
        runtime.set_max_stack_size(STACK_MAX);
        let (deadline, is_interrupted) = (Rc::new(Cell::new(Duration::MAX)), Rc::new(Cell::new(false)));
        runtime.set_interrupt_handler(Some(Box::new({
            let (deadline, is_interrupted) = (deadline.clone(), is_interrupted.clone());
            move || {
                let is_over = computed_here() >= deadline.get();
                is_interrupted.set(is_over || is_interrupted.get());
                is_over
            }
        })));
        let context = Context::custom::<Intrinsics>(&runtime).ok()?;
        Some(Interpreter { context, deadline, is_interrupted })
    }

    fn answer(&self, asked: &Asked<'_>, bytecode: &mut Cache<Rc<[u8]>>) -> Outcome {
        self.deadline.set(computed_here() + asked.timeout);
        let outcome = self.context.with(|ctx| evaluate(&ctx, asked, bytecode));
        if self.is_interrupted.get() {
            return Err(ScriptError::Timeout { after: asked.timeout });
        }
        outcome
    }
}

fn evaluate(ctx: &Ctx<'_>, asked: &Asked<'_>, bytecode: &mut Cache<Rc<[u8]>>) -> Outcome {
    let is_body = asked.language == Language::Lambda;
    let source = if is_body {
        Cow::from(format!("{BODY_BEFORE}{}{BODY_AFTER}", asked.source))
    } else {
        Cow::from(asked.source)
    };
    let lines_before = u32::from(is_body);
    let program =
        program(ctx, &source, bytecode).map_err(|error| error.told(ctx, lines_before, Stage::Reading))?;
    if asked.wanted == Wanted::Syntax {
        return Ok("null".to_owned());
    }
    let told = |error: Thrown| error.told(ctx, lines_before, Stage::Running);
    give_input(ctx, asked).map_err(|_| told(Thrown))?;
    let value = program.run(ctx).map_err(told)?;
    to_json(ctx, value).map_err(|error| match error {
        NoJson::Thrown => told(Thrown),
        NoJson::Because(message) => super::failed(message),
    })
}

fn give_input(ctx: &Ctx<'_>, asked: &Asked<'_>) -> rquickjs::Result<()> {
    let globals = ctx.globals();
    globals.set("$", ctx.json_parse(asked.input)?)?;
    if asked.source.contains("console") {
        globals.set("console", mute_console(ctx)?)?;
    }
    Ok(())
}

/// Scripts that were written elsewhere may talk; nobody listens.
fn mute_console<'js>(ctx: &Ctx<'js>) -> rquickjs::Result<Object<'js>> {
    let console = Object::new(ctx.clone())?;
    for name in ["log", "info", "warn", "error", "debug"] {
        console.set(name, Function::new(ctx.clone(), || ())?)?;
    }
    Ok(console)
}

/// Something was thrown, and waits in the context.
struct Thrown;

/// A compiled source, in a context.
struct Program<'js>(Value<'js>);

/// The bytecode of a source is read if it was met before, and written otherwise.
fn program<'js>(
    ctx: &Ctx<'js>,
    source: &str,
    bytecode: &mut Cache<Rc<[u8]>>,
) -> Result<Program<'js>, Thrown> {
    if let Some(known) = bytecode.get(source) {
        // SAFETY: the bytes were written by the same version of the interpreter, in `write_bytecode` below.
        let program = unsafe {
            let flags = qjs::JS_READ_OBJ_BYTECODE as i32;
            qjs::JS_ReadObject(ctx.as_raw().as_ptr(), known.as_ptr(), known.len() as qjs::size_t, flags)
        };
        return owned(ctx, program).map(Program);
    }
    let program = compile(ctx, source)?;
    if let Some(bytes) = program.write_bytecode(ctx) {
        bytecode.insert(source, bytes);
    }
    Ok(program)
}

fn compile<'js>(ctx: &Ctx<'js>, source: &str) -> Result<Program<'js>, Thrown> {
    // The interpreter wants a zero after the source, which it does not count.
    let mut text = source.as_bytes().to_vec();
    text.push(0);
    // SAFETY: the text and the name live through the call, and both end with a zero.
    let program = unsafe {
        let flags = qjs::JS_EVAL_TYPE_GLOBAL | qjs::JS_EVAL_FLAG_COMPILE_ONLY;
        let length = source.len() as qjs::size_t;
        qjs::JS_Eval(ctx.as_raw().as_ptr(), text.as_ptr().cast(), length, FILE.as_ptr(), flags as i32)
    };
    owned(ctx, program).map(Program)
}

/// A value that the interpreter has just made for us, unless it says that something was thrown.
fn owned<'js>(ctx: &Ctx<'js>, value: qjs::JSValue) -> Result<Value<'js>, Thrown> {
    // SAFETY: looks at the tag alone; the value is ours, and lives no longer than its context.
    unsafe { if qjs::JS_IsException(value) { Err(Thrown) } else { Ok(Value::from_raw(ctx.clone(), value)) } }
}

impl<'js> Program<'js> {
    fn write_bytecode(&self, ctx: &Ctx<'js>) -> Option<Rc<[u8]>> {
        let mut length: qjs::size_t = 0;
        // SAFETY: the program is a living value of this context. The bytes are copied before they are freed.
        unsafe {
            let flags = qjs::JS_WRITE_OBJ_BYTECODE as i32;
            let bytes = qjs::JS_WriteObject(ctx.as_raw().as_ptr(), &raw mut length, self.0.as_raw(), flags);
            if bytes.is_null() {
                drop(ctx.catch());
                return None;
            }
            let copy = std::slice::from_raw_parts(bytes, length as usize).into();
            qjs::js_free(ctx.as_raw().as_ptr(), bytes.cast());
            Some(copy)
        }
    }

    /// Runs the program and returns its completion value.
    fn run(&self, ctx: &Ctx<'js>) -> Result<Value<'js>, Thrown> {
        // SAFETY: the program is a living value of this context; the call takes over the duplicate.
        let value = unsafe {
            let program = qjs::JS_DupValue(ctx.as_raw().as_ptr(), self.0.as_raw());
            qjs::JS_EvalFunction(ctx.as_raw().as_ptr(), program)
        };
        owned(ctx, value)
    }
}

/// Why a value cannot be written.
enum NoJson {
    Thrown,
    Because(&'static str),
}

const NO_FUNCTION: &str =
    "the result is or contains a function or a symbol: return a value (is a call missing, `()`?)";
const NO_PROMISE: &str = "the result is a promise: scripts cannot wait for anything";

/// The value as JSON; what JSON has no word for is null, or cannot be the result.
fn to_json<'js>(ctx: &Ctx<'js>, value: Value<'js>) -> Result<String, NoJson> {
    if value.is_promise() {
        return Err(NoJson::Because(NO_PROMISE));
    }
    if !value.is_object() && !value.is_symbol() {
        return stringify(ctx, value, None);
    }
    let has_function = Rc::new(Cell::new(false));
    let watch = {
        let has_function = has_function.clone();
        move |_key: Value<'js>, value: Value<'js>| {
            has_function.set(has_function.get() || value.is_function() || value.is_symbol());
            value
        }
    };
    let watch = Function::new(ctx.clone(), watch).map_err(|_| NoJson::Thrown)?;
    let json = stringify(ctx, value, Some(watch));
    if has_function.get() { Err(NoJson::Because(NO_FUNCTION)) } else { json }
}

fn stringify<'js>(ctx: &Ctx<'js>, value: Value<'js>, watch: Option<Function<'js>>) -> Result<String, NoJson> {
    let json = match watch {
        None => ctx.json_stringify(value),
        Some(watch) => ctx.json_stringify_replacer(value, watch),
    };
    let Some(json) = json.map_err(|_| NoJson::Thrown)? else { return Ok("null".to_owned()) };
    json.to_string().map_err(|_| NoJson::Because("the result has text that is no Unicode"))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Reading,
    Running,
}

impl Thrown {
    /// What was thrown, for people.
    fn told(self, ctx: &Ctx<'_>, lines_before: u32, stage: Stage) -> ScriptError {
        let thrown = ctx.catch();
        let Some(exception) = thrown.as_object().cloned().and_then(Exception::from_object) else {
            return super::failed(thrown_value(ctx, thrown));
        };
        let message = exception.message().unwrap_or_default();
        if message == "out of memory" {
            return out_of_memory();
        }
        let name: String = exception.get("name").unwrap_or_else(|_| "Error".to_owned());
        let message = format!("{name}: {message}");
        let at = exception.stack().and_then(|stack| place(&stack)).map(|at| moved(at, lines_before));
        match stage {
            Stage::Reading => ScriptError::Syntax { message, at },
            Stage::Running => ScriptError::Runtime { message, at },
        }
    }
}

/// Scripts may throw anything: a text, an object, null (of which is said no more than that).
fn thrown_value<'js>(ctx: &Ctx<'js>, thrown: Value<'js>) -> String {
    if let Some(text) = thrown.as_string() {
        return text.to_string().unwrap_or_default();
    }
    let json = stringify(ctx, thrown, None);
    json.unwrap_or_else(|_| "something that cannot be written".to_owned())
}

fn out_of_memory() -> ScriptError {
    ScriptError::Memory { message: "the script needs more memory than it may have".to_owned() }
}

/// The first place in a trace: `    at f (script:3:7)`.
fn place(stack: &str) -> Option<Place> {
    let (_, rest) = stack.split_once("script:")?;
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit());
    Some(Place { line: numbers.next()?.parse().ok()?, column: numbers.next()?.parse().unwrap_or(1) })
}

/// Where it is in what the user wrote.
fn moved(at: Place, lines_before: u32) -> Place {
    Place { line: at.line.saturating_sub(lines_before).max(1), ..at }
}
