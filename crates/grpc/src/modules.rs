//! `tasklane.v1.Modules`.

use axum::body::Body;
use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderValue;
use tasklane_api_types::{ModuleList, ModuleView};
use tonic::{Request, Response, Status, Streaming};

use crate::door::{Ask, Caller, Door};
use crate::proto::modules_server::Modules;
use crate::proto::{self, DeployRequest, deploy_request::Part};
use crate::view;

/// Largest module that is gathered, in bytes; the routes' own limit is usually lower.
const MODULE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The service.
pub(crate) struct ModulesService(pub(crate) Door);

#[derive(Default)]
struct Upload {
    head: Option<proto::DeployHead>,
    wasm: BytesMut,
}

impl Upload {
    fn take(&mut self, message: DeployRequest) -> Result<(), Status> {
        match message.part {
            Some(Part::Head(head)) if self.head.is_none() && self.wasm.is_empty() => self.head = Some(head),
            Some(Part::Head(_)) => return Err(Status::invalid_argument("`head` comes once, before the bytes")),
            Some(Part::Data(bytes)) if self.wasm.len() + bytes.len() > MODULE_BYTES_MAX => {
                return Err(Status::resource_exhausted(format!("a module has {MODULE_BYTES_MAX} bytes at most")));
            }
            Some(Part::Data(bytes)) => self.wasm.put(bytes),
            None => return Err(Status::invalid_argument("a message has neither `head` nor `data`")),
        }
        Ok(())
    }

    /// As the form that the route takes.
    fn ask(self) -> Result<Ask, Status> {
        let head = self.head.unwrap_or_default();
        let boundary = format!("tasklane-{}", uuid::Uuid::new_v4().simple());
        let mut form = BytesMut::with_capacity(self.wasm.len() + head.manifest_toml.len() + 1024);
        if !head.manifest_toml.is_empty() {
            let wrong = |error: String| Status::invalid_argument(format!("`manifest_toml`: {error}"));
            let manifest: toml::Value =
                toml::from_str(&head.manifest_toml).map_err(|error| wrong(error.to_string()))?;
            let json = serde_json::to_vec(&manifest).map_err(|error| wrong(error.to_string()))?;
            part(&mut form, &boundary, "manifest", &json);
        }
        part(&mut form, &boundary, "module", &self.wasm);
        form.put(format!("--{boundary}--\r\n").as_bytes());
        let media_type = HeaderValue::try_from(format!("multipart/form-data; boundary={boundary}"))
            .map_err(|error| Status::internal(error.to_string()))?;
        Ok(Ask::post(&["modules"]).query("namespace", &head.namespace).body(media_type, Body::from(form.freeze())))
    }
}

fn part(form: &mut BytesMut, boundary: &str, name: &str, bytes: &[u8]) {
    let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\n\r\n");
    form.put(head.as_bytes());
    form.put(bytes);
    form.put(Bytes::from_static(b"\r\n"));
}

#[tonic::async_trait]
impl Modules for ModulesService {
    async fn deploy(&self, request: Request<Streaming<DeployRequest>>) -> Result<Response<proto::Module>, Status> {
        let caller = Caller::of(request.metadata(), request.extensions());
        let mut stream = request.into_inner();
        let mut upload = Upload::default();
        while let Some(message) = stream.message().await? {
            upload.take(message)?;
        }
        let answer = self.0.ask(&caller, upload.ask()?).await?;
        Ok(Response::new(view::module(answer.parse::<ModuleView>()?)))
    }

    async fn list(
        &self,
        request: Request<proto::ListModulesRequest>,
    ) -> Result<Response<proto::ListModulesResponse>, Status> {
        let caller = Caller::of(request.metadata(), request.extensions());
        let ask = Ask::get(&["modules"]).query("namespace", &request.get_ref().namespace);
        let ModuleList { modules } = self.0.ask(&caller, ask).await?.parse()?;
        Ok(Response::new(proto::ListModulesResponse { modules: modules.into_iter().map(view::module).collect() }))
    }

    async fn get(&self, request: Request<proto::GetModuleRequest>) -> Result<Response<proto::Module>, Status> {
        let caller = Caller::of(request.metadata(), request.extensions());
        let asked = request.into_inner();
        if asked.name.is_empty() || asked.version.is_empty() {
            return Err(Status::invalid_argument("`name` and `version` are needed, such as thumbnail and 1.2.0"));
        }
        let ask = Ask::get(&["modules", &asked.name, &asked.version]).query("namespace", &asked.namespace);
        Ok(Response::new(view::module(self.0.ask(&caller, ask).await?.parse::<ModuleView>()?)))
    }
}
