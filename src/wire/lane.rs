//! A lane: bounded room for messages that wait for the house, begun in the order of their arrival.

use std::{
    future::{Future, poll_fn},
    sync::Arc,
    task::Poll,
};

use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};

/// Room that is kept for what calms a robot.
const KEPT: usize = 4;

/// The sending end of a lane.
#[derive(Debug)]
pub(super) struct Lane<T> {
    room: Arc<Semaphore>,
    kept: Arc<Semaphore>,
    jobs: mpsc::UnboundedSender<(T, OwnedSemaphorePermit)>,
}

impl<T> Clone for Lane<T> {
    fn clone(&self) -> Self {
        Self { room: self.room.clone(), kept: self.kept.clone(), jobs: self.jobs.clone() }
    }
}

impl<T: Send + 'static> Lane<T> {
    /// A lane with `room` for so many messages, waiting or in work, that ends when its last sender is gone.
    pub(super) fn open<F>(
        runtime: &Handle,
        room: usize,
        work: impl Fn(T) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // The channel itself is unbounded: a message needs a permit to enter it, and those are counted.
        let (jobs, mut queue) = mpsc::unbounded_channel::<(T, OwnedSemaphorePermit)>();
        runtime.spawn(async move {
            while let Some((job, permit)) = queue.recv().await {
                let working = work(job);
                begin(async move {
                    working.await;
                    drop(permit);
                })
                .await;
            }
        });
        let (room, kept) = (Arc::new(Semaphore::new(room)), Arc::new(Semaphore::new(KEPT)));
        Self { room, kept, jobs }
    }

    /// Hands a message in.
    ///
    /// # Errors
    /// The message, if there is no room for it.
    pub(super) fn offer(&self, job: T) -> Result<(), T> {
        Self::send(&self.jobs, job, self.room.clone().try_acquire_owned().ok())
    }

    /// The same for what calms a robot, for which some room is kept. The order of arrival stays: what was asked before it
    /// must not be begun after it.
    ///
    /// # Errors
    /// The message, if there is no room for it.
    pub(super) fn offer_calming(&self, job: T) -> Result<(), T> {
        let room = self.room.clone().try_acquire_owned();
        let permit = room.or_else(|_| self.kept.clone().try_acquire_owned());
        Self::send(&self.jobs, job, permit.ok())
    }

    fn send(
        jobs: &mpsc::UnboundedSender<(T, OwnedSemaphorePermit)>,
        job: T,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<(), T> {
        match permit {
            Some(permit) => jobs.send((job, permit)).map_err(|unsent| unsent.0.0),
            None => Err(job),
        }
    }
}

/// Runs a future up to its first wait, here and now, and the rest on its own. Two commands are thus begun in the order
/// in which they came, and yet the second does not wait for the first one's answer.
async fn begin(future: impl Future<Output = ()> + Send + 'static) {
    let mut future = Box::pin(future);
    let begun = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
    if begun.is_pending() {
        tokio::spawn(future);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[tokio::test]
    async fn begins_in_order_and_does_not_wait_for_answers() {
        let (begun, release) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Semaphore::new(0)));
        let lane = Lane::open(&Handle::current(), 8, {
            let (begun, release) = (begun.clone(), release.clone());
            move |job: u32| {
                let (begun, release) = (begun.clone(), release.clone());
                async move {
                    begun.lock().expect("no panic").push(job);
                    let _held = release.acquire().await;
                }
            }
        });
        for job in 0..8 {
            assert!(lane.offer(job).is_ok());
        }
        assert_eq!(lane.offer(8), Err(8), "the ninth finds no room while eight are in work");
        for job in 8..8 + KEPT as u32 {
            assert!(lane.offer_calming(job).is_ok(), "but what calms does");
        }
        assert_eq!(lane.offer_calming(99), Err(99), "a few of it");
        let all = 8 + KEPT as u32;
        while begun.lock().expect("no panic").len() < all as usize {
            tokio::task::yield_now().await;
        }
        assert_eq!(*begun.lock().expect("no panic"), (0..all).collect::<Vec<_>>());
        release.add_permits(1);
        while lane.offer(9).is_err() {
            tokio::task::yield_now().await;
        }
    }
}
