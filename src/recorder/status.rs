//! How the recorder is: what `state/recorder` says.

use serde_json::{Value, json};

/// What is told of the recorder.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Status {
    /// The loop's time.
    pub(super) at_ns: u64,
    /// Whether a continuous file is wanted.
    pub(super) recording: bool,
    /// The file that is being written, its name without the folder.
    pub(super) file: Option<String>,
    /// Bytes of it that are on the disk.
    pub(super) bytes: u64,
    /// The last tick that is on the disk in it.
    pub(super) safe_seq: Option<u64>,
    /// The last black box, its name without the folder.
    pub(super) black_box: Option<String>,
    /// Black boxes that were written.
    pub(super) black_boxes: u64,
    /// Entries of the law that found no room on the tape.
    pub(super) ticks_dropped: u64,
    /// Messages that found the recorder busy.
    pub(super) messages_dropped: u64,
    /// Frames that were overtaken by newer ones.
    pub(super) frames_dropped: u64,
    /// Whether the disk is full.
    pub(super) disk_full: bool,
    /// Room that is free on it.
    pub(super) free_mb: Option<u64>,
    /// What keeps it from recording.
    pub(super) trouble: Option<String>,
}

impl Status {
    /// The message.
    pub(super) fn json(&self) -> Value {
        let Self {
            at_ns,
            recording,
            file,
            bytes,
            safe_seq,
            black_box,
            black_boxes,
            ticks_dropped,
            messages_dropped,
            frames_dropped,
            disk_full,
            free_mb,
            trouble,
        } = self;
        json!({
            "at_ns": at_ns,
            "recording": recording,
            "file": file,
            "bytes": bytes,
            "safe_seq": safe_seq,
            "black_box": black_box,
            "black_boxes": black_boxes,
            "ticks_dropped": ticks_dropped,
            "messages_dropped": messages_dropped,
            "frames_dropped": frames_dropped,
            "disk_full": disk_full,
            "free_mb": free_mb,
            "trouble": trouble,
        })
    }

    /// For the answer to who asks.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = vec![match (&self.file, self.recording) {
            (Some(file), _) => format!("recording to {file}, {} bytes on the disk", self.bytes),
            (None, true) => "recording, with no file at present".into(),
            (None, false) => "not recording".into(),
        }];
        if let Some(black_box) = &self.black_box {
            words.push(format!("last black box: {black_box}"));
        }
        let dropped = [
            (self.ticks_dropped, "ticks"),
            (self.messages_dropped, "messages"),
            (self.frames_dropped, "frames"),
        ];
        let dropped = dropped.iter().filter(|(count, _)| *count > 0);
        words.extend(dropped.map(|(count, what)| format!("{count} {what} dropped")));
        words.extend(self.trouble.iter().map(|trouble| format!("trouble: {trouble}")));
        words
    }
}
