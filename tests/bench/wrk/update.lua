-- A change of two fields at random ones of the paths in a file: update.lua -- METHOD FILE
local common = require("common")

function init(args)
  common.seed()
  request = common.updater(args[1], common.lines(args[2]))
end
