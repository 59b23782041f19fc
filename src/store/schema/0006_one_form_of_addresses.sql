-- Schema 6: an address has one form.
--
-- An international address has several spellings: its domain in Punycode, fullwidth letters, letters that are not composed.
-- crm stores one of them, and these rows are older than that rule. crm_email() is a function of the program: the form of an
-- address, or null for a text that is none, which stays as it is. The version counts, because the record changes.
UPDATE leads
SET email = crm_email(email), updated_at = strftime('%Y-%m-%d %H:%M:%S', 'now'), version = version + 1
WHERE (email GLOB '*[^ -~]*' OR lower(email) GLOB '*xn--*') AND crm_email(email) <> lower(email);
