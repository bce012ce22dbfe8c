//! Analytics: visits, delivery, ingest and insight.
