//! The controller whose turn it is, from what the Lease says. Clocks of two machines are never compared: a lease has run out when it
//! did not change for its whole duration by our own clock.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::LeaseSpec;

use super::LEASE_DURATION;

/// The thing to do about the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is ours: say so again.
    Renew,
    /// Nobody holds it, or its holder has not been heard of for too long.
    Take,
    /// Somebody else holds it.
    Wait,
}

/// The lease as last seen to change. A Lease that somebody deletes (Helm does, where an older chart made it) stays its
/// last holder's until it runs out, so that only the holder makes it again at once.
#[derive(Debug, Default)]
pub struct Sighting {
    spec: Option<LeaseSpec>,
    since: Option<Instant>,
}

impl Sighting {
    /// Notes what the lease says now; nothing where there is no Lease.
    pub fn see(&mut self, spec: Option<&LeaseSpec>, now: Instant) {
        if let Some(spec) = spec
            && self.spec.as_ref() != Some(spec)
        {
            self.spec = Some(spec.clone());
            self.since = Some(now);
        }
    }

    /// The thing that `identity` is to do.
    pub fn claim(&self, identity: &str, now: Instant) -> Claim {
        let holder = self
            .spec
            .as_ref()
            .and_then(|spec| spec.holder_identity.as_deref())
            .filter(|holder| !holder.is_empty());
        match holder {
            None => Claim::Take,
            Some(holder) if holder == identity => Claim::Renew,
            Some(_) if self.unchanged_for(now) >= self.duration() => Claim::Take,
            Some(_) => Claim::Wait,
        }
    }

    fn unchanged_for(&self, now: Instant) -> Duration {
        self.since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// As long as its holder said, because that may be another release of this program.
    fn duration(&self) -> Duration {
        self.spec
            .as_ref()
            .and_then(|spec| u64::try_from(spec.lease_duration_seconds?).ok())
            .map_or(LEASE_DURATION, Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::MicroTime, jiff::Timestamp};

    use super::*;

    fn held_by(holder: &str, renewed: i64) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            renew_time: Some(MicroTime(Timestamp::from_second(renewed).unwrap())),
            ..LeaseSpec::default()
        }
    }

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_free_lease_is_taken() {
        let now = Instant::now();
        for spec in [None, Some(LeaseSpec::default()), Some(held_by("", 0))] {
            let mut sighting = Sighting::default();
            sighting.see(spec.as_ref(), now);
            assert_eq!(sighting.claim("a", now), Claim::Take);
        }
    }

    #[test]
    fn a_lease_that_is_gone_is_its_holder_s_until_it_runs_out() {
        let start = Instant::now();
        let mut sighting = Sighting::default();
        sighting.see(Some(&held_by("a", 0)), start);
        sighting.see(None, after(start, 2));
        assert_eq!(sighting.claim("a", after(start, 2)), Claim::Renew);
        assert_eq!(sighting.claim("b", after(start, 14)), Claim::Wait);
        assert_eq!(sighting.claim("b", after(start, 15)), Claim::Take);

        // Given up before it went: nobody's.
        sighting.see(Some(&held_by("", 3)), after(start, 16));
        sighting.see(None, after(start, 17));
        assert_eq!(sighting.claim("b", after(start, 17)), Claim::Take);
    }

    #[test]
    fn our_own_lease_is_renewed_however_old_it_looks() {
        let start = Instant::now();
        let mut sighting = Sighting::default();
        sighting.see(Some(&held_by("a", 0)), start);
        assert_eq!(sighting.claim("a", after(start, 60)), Claim::Renew);
    }

    #[test]
    fn a_lease_that_changes_is_waited_for_and_one_that_stands_still_is_taken() {
        let start = Instant::now();
        let mut sighting = Sighting::default();
        for seconds in 0..60u32 {
            // Its clock is far behind ours; that it moves is what counts.
            sighting.see(
                Some(&held_by("b", seconds.into())),
                after(start, seconds.into()),
            );
            assert_eq!(
                sighting.claim("a", after(start, seconds.into())),
                Claim::Wait
            );
        }
        let last = held_by("b", 59);
        sighting.see(Some(&last), after(start, 73));
        assert_eq!(sighting.claim("a", after(start, 73)), Claim::Wait);
        sighting.see(Some(&last), after(start, 74));
        assert_eq!(sighting.claim("a", after(start, 74)), Claim::Take);
    }
}
