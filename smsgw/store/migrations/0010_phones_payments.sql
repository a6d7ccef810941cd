-- Support staff look for a phone's payments, whatever became of them.
create index payments_msisdn on payments (msisdn, id);
