-- POST of new leads: create.lua -- PATH RUN
local common = require("common")

function init(args)
  request = common.creator(args[1], args[2])
end
