//! Errors that the server reports on the connection, above all missing permissions.
//!
//! The server confirms nothing and reports errors later. So a start first waits for the return of
//! a message of this process to itself. Later denials fail searches and calls that cannot succeed.

use bytes::Bytes;

use super::connection_task::ConnectionTask;
use super::context::NatsContext;
use super::denial::{Denial, DeniedImport};
use super::event::{Event, Subscription};
use super::micro;

impl ConnectionTask {
    /// Creates the subscriptions of this process, which do not depend on a service, and waits until
    /// the server has confirmed them.
    ///
    /// # Errors
    ///
    /// If the server denies one of them, or a message of this process to itself.
    pub(super) async fn subscribe_own(&mut self) -> Result<(), Denial> {
        let NatsContext { subjects, me, .. } = &self.context;
        let echo = subjects.echo(me.host);
        let own = [
            (
                format!("{}.*", subjects.inbox(me.host)),
                Subscription::Inbox,
            ),
            (
                format!("{}.*", subjects.chunks(me.host)),
                Subscription::Chunks,
            ),
            (subjects.cancel(me.host), Subscription::Cancel),
            (subjects.schema(me.host), Subscription::Schema),
            (micro::ALL.to_owned(), Subscription::Micro),
        ];
        let mut pending = own.len();
        for (subject, subscription) in own {
            self.subscribe(subject, subscription);
        }
        while let Some(event) = self.events.recv().await {
            match event {
                Event::Subscribed(_) => {
                    pending -= 1;
                    if pending == 0 {
                        // The server handles the messages of a connection in order, so this
                        // message returns after all denials of the subscriptions.
                        self.context.publish(echo.clone(), None, None, Bytes::new());
                    }
                }
                Event::Message(Subscription::Inbox, message) if *message.subject == *echo => break,
                Event::Error(text) => match Denial::read(&text) {
                    Some(denial) if denial.is_needed(&self.context.subjects) => return Err(denial),
                    _ => self.report(text),
                },
                event => self.handle(event),
            }
        }
        Ok(())
    }

    /// Logs an error of the server or the client, and ends what a missing permission prevents.
    pub(super) fn report(&mut self, text: String) {
        if let Some(denial) = Denial::read(&text) {
            return self.deny(&denial);
        }
        if text != self.last_error {
            let error = text.trim_start_matches("nats: ");
            self.context.log.warn(&format!("NATS: {error}"));
            self.last_error = text;
        }
    }

    /// Logs each missing permission once, and fails searches and calls that cannot succeed.
    fn deny(&mut self, denial: &Denial) {
        let NatsContext { subjects, log, .. } = &self.context;
        let next_step = denial.next_step(subjects);
        let reason = format!(
            "the NATS server denies a permission: {}: {next_step}",
            denial.action()
        );
        match denial.import(subjects) {
            Some(DeniedImport::Discovery(service)) => self.imports.undiscoverable(service, &reason),
            Some(DeniedImport::Calls(service)) => self.imports.denied(service, &reason),
            None => {}
        }
        match (self.denials.insert(next_step), denial.is_needed(subjects)) {
            (true, true) => log.error(&reason),
            (true, false) => log.warn(&reason),
            (false, _) => {}
        }
    }
}
