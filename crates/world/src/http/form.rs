//! Forms with files: `multipart/form-data`.

/// Separates the parts. The chance that a binary file contains it is nil, and a file made to contain it only
/// spoils its own upload.
const BOUNDARY: &str = "gen404-7d1f0c2a9b3e4856a1c0d2e3f4b5a697";

/// A form's parts, in the order given.
#[derive(Debug, Clone, Default)]
pub struct MultipartForm {
    body: Vec<u8>,
}

impl MultipartForm {
    /// The `Content-Type` of the request that carries a form.
    pub const CONTENT_TYPE: &str = "multipart/form-data; boundary=gen404-7d1f0c2a9b3e4856a1c0d2e3f4b5a697";

    /// Adds a file.
    #[must_use]
    pub fn file(self, name: &str, file_name: &str, content_type: &str, bytes: &[u8]) -> Self {
        let about = format!("name=\"{name}\"; filename=\"{file_name}\"\r\nContent-Type: {content_type}");
        self.part(&about, bytes)
    }

    /// Adds a text field.
    #[must_use]
    pub fn text(self, name: &str, value: &str) -> Self {
        self.part(&format!("name=\"{name}\""), value.as_bytes())
    }

    /// The body.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.body.extend(format!("--{BOUNDARY}--\r\n").as_bytes());
        self.body
    }

    fn part(mut self, about: &str, bytes: &[u8]) -> Self {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {about}\r\n\r\n");
        self.body.reserve(head.len() + bytes.len() + 2 * BOUNDARY.len());
        self.body.extend(head.as_bytes());
        self.body.extend(bytes);
        self.body.extend(b"\r\n");
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_between_boundaries() {
        let form = MultipartForm::default().file("f", "a.bin", "x/y", b"\0\r\n").text("seed", "4232303603").finish();
        let text = String::from_utf8(form).unwrap();
        assert_eq!(
            text,
            format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.bin\"\r\n\
                 Content-Type: x/y\r\n\r\n\0\r\n\r\n--{BOUNDARY}\r\n\
                 Content-Disposition: form-data; name=\"seed\"\r\n\r\n4232303603\r\n--{BOUNDARY}--\r\n"
            )
        );
        assert!(MultipartForm::CONTENT_TYPE.ends_with(BOUNDARY));
    }
}
